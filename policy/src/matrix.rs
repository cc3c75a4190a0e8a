//! A table of tools, resources and prompts by scopes, which shows who may use what.

use serde_json::json;

use crate::{CompiledPolicy, Feature, Rule};

/// The effect of one scope on the access to one tool, resource or prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// A caller with only this scope may use it.
    Enough,
    /// The scope is one of several that are needed together.
    Part,
    /// The scope has no effect.
    Nothing,
}

impl Cell {
    /// The character in the text table.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Enough => "●",
            Self::Part => "◐",
            Self::Nothing => "·",
        }
    }

    /// The word in JSON and on the page.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Part => "part",
            Self::Nothing => "nothing",
        }
    }
}

/// A table of tools, resources and prompts by scopes, in the order of the file.
#[derive(Debug)]
pub struct Matrix<'p> {
    policy: &'p CompiledPolicy,
    rows: Vec<Row<'p>>,
}

/// One row of the table: the rule of one tool, resource or prompt.
#[derive(Debug)]
pub struct Row<'p> {
    feature: Feature,
    name: &'p str,
    needs: String,
    line: usize,
    cells: Vec<Cell>,
}

impl<'p> Matrix<'p> {
    /// Asks the policy about each rule with each scope.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, diagnostic::Source, matrix::Matrix};
    ///
    /// let text = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n\
    ///             [scopes]\n\"a:read\" = \"Look\"\n[tools]\nlook = { read = \"a\" }\n";
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// assert!(Matrix::new(&policy).text().contains("look  ●"));
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn new(policy: &'p CompiledPolicy) -> Self {
        let mut rules: Vec<(Feature, &str, &Rule)> = policy.rules().collect();
        rules.sort_by_key(|(feature, _, rule)| (*feature, rule.span().start));
        let rows = rules.into_iter().map(|(feature, name, rule)| Row {
            feature,
            name,
            needs: policy.describe(rule),
            line: policy.source().position(rule.span().start).0,
            cells: policy
                .scopes()
                .iter()
                .map(|scope| cell(policy, rule, scope.name().as_str()))
                .collect(),
        });
        Self { policy, rows: rows.collect() }
    }

    fn scopes(&self) -> impl Iterator<Item = &'p str> {
        self.policy.scopes().iter().map(|scope| scope.name().as_str())
    }

    /// The table as plain text, for a terminal.
    pub fn text(&self) -> String {
        let tool_width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut text = format!("  {:tool_width$}", "");
        for scope in self.scopes() {
            text.push_str(&format!("  {scope}"));
        }
        text.push('\n');
        for row in &self.rows {
            text.push_str(&format!("  {:tool_width$}", row.name));
            for (scope, cell) in self.scopes().zip(&row.cells) {
                text.push_str(&format!("  {:width$}", cell.mark(), width = scope.chars().count()));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text.push_str(
            "\n  ● enough by itself   ◐ part of what is needed   · does nothing for it\n",
        );
        text
    }

    /// The table as JSON, for programs.
    pub fn json(&self) -> String {
        let row = |row: &Row<'_>| {
            let cells: serde_json::Map<String, serde_json::Value> = self
                .scopes()
                .zip(&row.cells)
                .map(|(scope, cell)| (scope.to_owned(), cell.word().into()))
                .collect();
            json!({ (row.feature.word()): row.name, "needs": row.needs, "line": row.line, "scopes": cells })
        };
        let document = json!({
            "resource": self.policy.resource().as_str(),
            "revision": self.policy.revision().to_string(),
            "scopes": self.scopes().collect::<Vec<_>>(),
            "rules": self.rows.iter().map(row).collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }

    /// The policy that the table is about.
    pub fn policy(&self) -> &'p CompiledPolicy {
        self.policy
    }

    /// The rows of the table, in the order of the file.
    pub fn rows(&self) -> &[Row<'p>] {
        &self.rows
    }
}

impl<'p> Row<'p> {
    /// The name of the tool or prompt, or the URI or URI template of the resource.
    pub fn name(&self) -> &'p str {
        self.name
    }

    /// The scopes that the rule needs, as text for a person.
    pub fn needs(&self) -> &str {
        &self.needs
    }

    /// One cell for each scope, in the order of [`CompiledPolicy::scopes`].
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }
}

fn cell(policy: &CompiledPolicy, rule: &Rule, scope: &str) -> Cell {
    let held = policy.hold([scope]);
    if rule.requirement.is_met_by(&held) {
        return Cell::Enough;
    }
    let mut needed = rule.requirement.alternatives().iter().flatten();
    if needed.any(|scope| held.contains(*scope)) { Cell::Part } else { Cell::Nothing }
}
