//! Generated policies with naive answers about them, for property tests.

use std::collections::BTreeSet;

use proptest::prelude::*;

/// A policy as plain data, which gives both the policy's text and the naive answers about it.
#[derive(Debug, Clone)]
pub struct Model {
    /// The scopes that each scope implies. Scope `n` implies only higher numbers, so that there is no
    /// cycle.
    pub implies: Vec<Vec<usize>>,
    /// The alternatives of each tool's rule. No alternative means any authenticated caller.
    pub tools: Vec<Vec<Vec<usize>>>,
}

impl Model {
    /// The text of the policy.
    pub fn text(&self) -> String {
        let list = |scopes: &[usize]| {
            scopes.iter().map(|n| format!("\"s:{n}\"")).collect::<Vec<_>>().join(", ")
        };
        let mut text =
            "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n".to_owned();
        for (n, implies) in self.implies.iter().enumerate() {
            text += &format!("\"s:{n}\" = {{ title = \"S\", implies = [{}] }}\n", list(implies));
        }
        text += "[tools]\n";
        for (n, alternatives) in self.tools.iter().enumerate() {
            let rule = match alternatives.as_slice() {
                [] => "authenticated = true".to_owned(),
                [one] => format!("all_of = [{}]", list(one)),
                several => {
                    let each = several.iter().map(|all| format!("{{ all_of = [{}] }}", list(all)));
                    format!("any_of = [{}]", each.collect::<Vec<_>>().join(", "))
                }
            };
            text += &format!("t{n} = {{ {rule} }}\n");
        }
        text
    }

    /// The text of the policy with the same rules for resources and prompts, under the same names.
    pub fn text_of_all_features(&self) -> String {
        let text = self.text();
        let rules = text.split_once("[tools]\n").map_or("", |(_, rules)| rules);
        let resources =
            rules.lines().map(|line| format!("\"x:{}\n", line.replacen(" =", "\" =", 1)));
        let resources: String = resources.collect();
        format!("{text}[prompts]\n{rules}[resources]\n{resources}")
    }

    /// The held scopes: the granted ones and those that they imply.
    pub fn holds(&self, granted: &BTreeSet<usize>) -> BTreeSet<usize> {
        let held = self.closure(granted.iter().fold(0, |bits, scope| bits | 1 << scope));
        (0..self.implies.len()).filter(|scope| held & (1 << scope) != 0).collect()
    }

    /// The scopes of a set and those that they imply, one bit each, added until none is new. In bits,
    /// because tests ask this for every set of scopes of thousands of policies.
    fn closure(&self, granted: u64) -> u64 {
        let mut held = granted;
        loop {
            let mut more = held;
            for (scope, implies) in self.implies.iter().enumerate() {
                if held & (1 << scope) != 0 {
                    more = implies.iter().fold(more, |more, implied| more | 1 << implied);
                }
            }
            if more == held {
                return held;
            }
            held = more;
        }
    }

    /// Whether these granted scopes, one bit each, suffice for a tool. A tool or a scope that the model
    /// does not have gives nothing.
    pub fn suffices(&self, granted: u64, tool: usize) -> bool {
        let Some(alternatives) = self.tools.get(tool) else { return false };
        let held = self.closure(granted & ((1 << self.implies.len()) - 1));
        let is_met = |all: &Vec<usize>| all.iter().all(|scope| held & (1 << scope) != 0);
        alternatives.is_empty() || alternatives.iter().any(is_met)
    }

    /// Whether a caller with these held scopes may call a tool.
    pub fn allows(&self, tool: usize, held: &BTreeSet<usize>) -> bool {
        let alternatives = &self.tools[tool];
        alternatives.is_empty()
            || alternatives.iter().any(|all| all.iter().all(|n| held.contains(n)))
    }
}

/// Generates policies with 1 to 6 scopes and 1 to 4 tools: few enough to try every set of scopes.
pub fn model() -> impl Strategy<Value = Model> {
    (1_usize..7).prop_flat_map(|scopes| {
        let implies = (0..scopes)
            .map(|n| {
                proptest::sample::subsequence(
                    (n + 1..scopes).collect::<Vec<_>>(),
                    0..=(scopes - n - 1),
                )
            })
            .collect::<Vec<_>>();
        let alternative =
            proptest::sample::subsequence((0..scopes).collect::<Vec<_>>(), 1..=scopes);
        let tool = proptest::collection::vec(alternative, 0..4);
        (implies, proptest::collection::vec(tool, 1..5))
            .prop_map(|(implies, tools)| Model { implies, tools })
    })
}
