//! A policy as plain data, and the naive answers about it, for property tests.

use std::collections::BTreeSet;

use proptest::prelude::*;

/// A policy as plain data, from which both the text and the naive answer are made.
#[derive(Debug, Clone)]
pub struct Model {
    /// `implies[n]` lists what scope `n` implies; only higher numbers, so there is no cycle.
    pub implies: Vec<Vec<usize>>,
    /// The alternatives of each tool; none means any authenticated caller.
    pub tools: Vec<Vec<Vec<usize>>>,
}

impl Model {
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

    /// The same rules for resources and prompts as well, which are named as the tools are.
    pub fn text_of_all_features(&self) -> String {
        let text = self.text();
        let rules = text.split_once("[tools]\n").map_or("", |(_, rules)| rules);
        let resources =
            rules.lines().map(|line| format!("\"x:{}\n", line.replacen(" =", "\" =", 1)));
        let resources: String = resources.collect();
        format!("{text}[prompts]\n{rules}[resources]\n{resources}")
    }

    /// Granted scopes and what they imply, by going round until nothing is new.
    pub fn holds(&self, granted: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut held = granted.clone();
        loop {
            let more =
                held.iter().flat_map(|n| &self.implies[*n]).copied().collect::<BTreeSet<_>>();
            if more.is_subset(&held) {
                return held;
            }
            held.extend(more);
        }
    }

    pub fn allows(&self, tool: usize, held: &BTreeSet<usize>) -> bool {
        let alternatives = &self.tools[tool];
        alternatives.is_empty()
            || alternatives.iter().any(|all| all.iter().all(|n| held.contains(n)))
    }
}

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
