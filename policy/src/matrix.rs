//! A table of tools, resources and prompts by scopes, which shows who may use what.

mod by_scope;
mod grouped;

pub use by_scope::ScopeUses;

use serde_json::json;

use crate::{
    CompiledPolicy, DeclarationIndex, Feature, Registry, Requirement, Rule, ScopeId, ScopeSet, When,
};

/// What one scope does for the use of one tool, resource or prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// What it does for the scopes that every use needs.
    pub effect: Effect,
    /// Whether a condition changes what is said here: the scope is enough until a condition asks for
    /// more, or it is one that a condition asks for.
    pub is_conditional: bool,
    /// Whether the author declared the scope as `optional`: the tool answers more to its holder.
    pub is_optional: bool,
}

impl Cell {
    /// The characters in the text table: the effect, with `*` for a condition and `+` for a scope
    /// that is optional.
    pub fn mark(self) -> String {
        let mut mark = String::new();
        self.push_mark(&mut mark);
        mark
    }

    /// Writes the mark, and says how many characters it has.
    fn push_mark(self, text: &mut String) -> usize {
        let signs = [(self.is_conditional, '*'), (self.is_optional, '+')];
        let signs = signs.into_iter().filter(|(is, _)| *is).map(|(_, sign)| sign);
        let count = signs.clone().count();
        let has_effect = self.effect != Effect::Nothing || count == 0;
        if has_effect {
            text.push_str(self.effect.mark());
        }
        text.extend(signs);
        count + usize::from(has_effect)
    }

    /// Whether the scope has an effect, or a condition or the author asks for it.
    pub fn does_something(self) -> bool {
        self.effect != Effect::Nothing || self.is_conditional || self.is_optional
    }

    /// The words for a person who cannot see the mark.
    pub fn words(self) -> String {
        let mut words = vec![self.effect.word()];
        words.extend(self.is_conditional.then_some("under a condition"));
        words.extend(self.is_optional.then_some("answers more"));
        words.join(", ")
    }
}

/// The effect of one scope on the access to one tool, resource or prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A caller with only this scope may use it.
    Enough,
    /// The scope is one of several that are needed together.
    Part,
    /// The scope has no effect.
    Nothing,
}

impl Effect {
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

/// The widest column of the text table, in characters. A longer name stands in it unaligned, because
/// the table would otherwise have as many spaces as rows times that name.
const WIDEST: usize = 100;

/// The sentence of the legend about conditions.
pub const CONDITIONAL: &str = "* a condition asks for more";
/// The sentence of the legend about optional scopes.
pub const OPTIONAL: &str = "+ answers more to its holder";

/// A table of tools, resources and prompts by scopes, in the order of the file.
#[derive(Debug)]
pub struct Matrix<'p> {
    policy: &'p CompiledPolicy,
    /// The scopes that have a column.
    columns: Vec<&'p str>,
    rows: Vec<Row<'p>>,
}

/// One row of the table: the rule of one tool, resource or prompt.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Registry, diagnostic::Source, matrix::{Cell, Effect, Matrix, Row}};
/// # let text = r#"
/// #     version = 1
/// #     [server]
/// #     url = "http://localhost:3002/mcp"
/// #     [scopes]
/// #     "note:read" = "See your notes"
/// #     "note:write" = { title = "Change your notes", implies = ["note:read"] }
/// #     "note:share" = { title = "Share your notes", step_up = true }
/// #     [tools]
/// #     list_notes = { read = "note" }
/// #     save_note = { write = "note" }
/// #     share_note = { all_of = ["note:write", "note:share"] }
/// # "#;
/// # let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
///
/// let matrix = Matrix::new(&policy, &Registry::new(&[]));
/// assert!(!matrix.has_conditions() && !matrix.has_optional());
/// let row: &Row<'_> = &matrix.rows()[1];
/// assert_eq!((row.name(), row.needs()), ("save_note", "note:write"));
/// assert!(row.notes().is_empty());
/// let cell: Cell = row.cells()[1];
/// assert_eq!((cell.effect, cell.words().as_str()), (Effect::Enough, "enough"));
/// assert_eq!((cell.mark().as_str(), Effect::Part.mark(), Effect::Nothing.word()), ("●", "◐", "nothing"));
/// assert!(matrix.json().contains("save_note"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Row<'p> {
    feature: Feature,
    name: &'p str,
    needs: String,
    is_anonymous: bool,
    conditions: Vec<(&'p str, String)>,
    optional: &'static [&'static str],
    line: usize,
    cells: Vec<Cell>,
}

impl<'p> Matrix<'p> {
    /// Asks the policy about each rule with each scope. `registry` knows the optional scopes.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, Registry, diagnostic::Source, matrix::Matrix};
    ///
    /// let text = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n\
    ///             [scopes]\n\"a:read\" = \"Look\"\n[tools]\nlook = { read = \"a\" }\n";
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// assert!(Matrix::new(&policy, &Registry::new(&[])).text().contains("look  ●"));
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn new(policy: &'p CompiledPolicy, registry: &Registry) -> Self {
        let mut rules: Vec<(Feature, &str, &Rule)> = policy.rules().collect();
        rules.sort_by_key(|(feature, _, rule)| (*feature, rule.span().start));
        let declared = DeclarationIndex::new(registry);
        let rows = rules.into_iter().map(|(feature, name, rule)| {
            let optional = declared.get(feature, name).map_or(&[][..], |one| one.optional());
            let conditions = policy.conditional_needs(rule);
            let named = NamedScopes::new(policy, rule, optional);
            Row {
                feature,
                name,
                needs: policy.needs(rule),
                is_anonymous: rule.requirement == Requirement::Anonymous,
                conditions: conditions.map(|when| (when.condition, when.needs)).collect(),
                optional,
                line: policy.source().position(rule.span().start).0,
                cells: policy
                    .scopes()
                    .iter()
                    .map(|scope| named.cell(rule, &scope.closure))
                    .collect(),
            }
        });
        let rows = rows.collect();
        let columns = policy.scopes().iter().map(|scope| scope.name().as_str()).collect();
        Self { policy, columns, rows }
    }

    fn scopes(&self) -> impl Iterator<Item = &'p str> {
        self.columns.iter().copied()
    }

    /// The scopes that have a column, in the order of the policy.
    pub fn columns(&self) -> &[&'p str] {
        &self.columns
    }

    /// The title of a scope, as people read it when they sign in.
    pub fn title(&self, scope: &str) -> &'p str {
        let found = self.policy.scopes().iter().find(|known| known.name().as_str() == scope);
        found.map_or("", |scope| scope.title())
    }

    /// Neighbouring columns whose scopes have the same prefix: the prefix, and how many they are.
    pub fn groups(&self) -> Vec<(&'p str, usize)> {
        let mut groups: Vec<(&str, usize)> = vec![];
        for scope in self.scopes() {
            match groups.last_mut() {
                Some((last, count)) if *last == grouped::prefix(scope) => *count += 1,
                _ => groups.push((grouped::prefix(scope), 1)),
            }
        }
        groups
    }

    /// Keeps the rows of which `is_kept` says so.
    pub fn keep_rows(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.rows.retain(|row| is_kept(row.name));
    }

    /// Keeps the columns of which `is_kept` says so.
    pub fn keep_columns(&mut self, is_kept: impl Fn(&str) -> bool) {
        let kept: Vec<bool> = self.columns.iter().map(|scope| is_kept(scope)).collect();
        self.keep_columns_at(&kept);
    }

    /// Leaves out the rows for which no column does anything.
    pub fn keep_touched_rows(&mut self) {
        self.rows.retain(|row| row.cells.iter().any(|cell| cell.does_something()));
    }

    /// Leaves out the columns that do nothing for any row.
    pub fn keep_touched_columns(&mut self) {
        let touches = |at: usize| {
            let cells =
                |row: &Row<'_>| row.cells.get(at).copied().is_some_and(Cell::does_something);
            self.rows.iter().any(cells)
        };
        let kept: Vec<bool> = (0..self.columns.len()).map(touches).collect();
        self.keep_columns_at(&kept);
    }

    fn keep_columns_at(&mut self, kept: &[bool]) {
        let mut is_kept = kept.iter();
        self.columns.retain(|_| is_kept.next().copied().unwrap_or(false));
        for row in &mut self.rows {
            let mut is_kept = kept.iter();
            row.cells.retain(|_| is_kept.next().copied().unwrap_or(false));
        }
    }

    /// Whether at least one cell depends on a condition.
    pub fn has_conditions(&self) -> bool {
        self.rows.iter().any(|row| !row.conditions.is_empty())
    }

    /// Whether at least one tool answers more to the holder of an optional scope.
    pub fn has_optional(&self) -> bool {
        self.rows.iter().any(|row| !row.optional.is_empty())
    }

    /// The table as plain text, for a terminal. A table that is too wide is shown in parts, by the
    /// prefixes of the scopes.
    pub fn text(&self) -> String {
        let mut text =
            if self.width() > grouped::WIDTH { grouped::grouped(self) } else { self.table() };
        let tool_width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let tool_width = tool_width.min(WIDEST);
        text.push_str(if text.ends_with("\n\n") { "" } else { "\n" });
        text.push_str("  ● enough by itself   ◐ part of what is needed   · does nothing for it\n");
        let signs = [(self.has_conditions(), CONDITIONAL), (self.has_optional(), OPTIONAL)];
        let signs: Vec<&str> = signs.iter().filter(|(is, _)| *is).map(|(_, sign)| *sign).collect();
        if !signs.is_empty() {
            text.push_str(&format!("  {}\n", signs.join("   ")));
        }
        if !signs.is_empty() || self.rows.iter().any(|row| row.is_anonymous) {
            text.push('\n');
        }
        for row in &self.rows {
            for line in row.notes() {
                text.push_str(&format!("  {:tool_width$}  {line}\n", row.name));
            }
        }
        text
    }

    /// The width of the whole table, in characters.
    fn width(&self) -> usize {
        let names = self.rows.iter().map(|row| row.name.chars().count());
        let columns = self.scopes().map(|scope| scope.chars().count().clamp(3, WIDEST) + 2);
        2 + names.max().unwrap_or(0).min(WIDEST) + columns.sum::<usize>()
    }

    fn table(&self) -> String {
        let width = |text: &str| text.chars().count();
        let tool_width = self.rows.iter().map(|row| width(row.name)).max().unwrap_or(0);
        let tool_width = tool_width.min(WIDEST);
        // A mark may have three characters, and so may a column have no fewer.
        let widths: Vec<usize> = self.scopes().map(|scope| width(scope).clamp(3, WIDEST)).collect();
        let mut text = format!("  {:tool_width$}", "");
        for scope in self.scopes() {
            text.push_str(&format!("  {scope:3}"));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        for row in &self.rows {
            text.push_str(&format!("  {:tool_width$}", row.name));
            for (widest, cell) in widths.iter().zip(&row.cells) {
                text.push_str("  ");
                let written = cell.push_mark(&mut text);
                text.extend(std::iter::repeat_n(' ', widest.saturating_sub(written)));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    /// The table as JSON, for programs.
    pub fn json(&self) -> String {
        let row = |row: &Row<'_>| {
            let marked = |is: fn(&Cell) -> bool| -> Vec<&str> {
                let marked = self.scopes().zip(&row.cells).filter(|(_, cell)| is(cell));
                marked.map(|(scope, _)| scope).collect()
            };
            let cells: serde_json::Map<String, serde_json::Value> = self
                .scopes()
                .zip(&row.cells)
                .map(|(scope, cell)| (scope.to_owned(), cell.effect.word().into()))
                .collect();
            let conditions = row.conditions.iter();
            let conditions =
                conditions.map(|(condition, needs)| json!({ "if": condition, "needs": needs }));
            json!({
                (row.feature.word()): row.name,
                "needs": row.needs,
                "anonymous": row.is_anonymous,
                "when": conditions.collect::<Vec<_>>(),
                "optional": row.optional,
                "line": row.line,
                "scopes": cells,
                "conditional": marked(|cell| cell.is_conditional),
                "answers_more": marked(|cell| cell.is_optional),
            })
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

    /// The scopes that every use needs, as text for a person.
    pub fn needs(&self) -> &str {
        &self.needs
    }

    /// Whether everybody may use it, also without a token.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, Registry, diagnostic::Source, matrix::Matrix};
    ///
    /// let text = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n\
    ///             [tools]\nlook = { anonymous = true }\n";
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// assert!(Matrix::new(&policy, &Registry::new(&[])).rows()[0].is_anonymous());
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn is_anonymous(&self) -> bool {
        self.is_anonymous
    }

    /// One line for a rule that needs no token, one for each condition, and one for the optional
    /// scopes.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self
            .is_anonymous
            .then(|| "is open to everybody, also without a token".to_owned())
            .into_iter()
            .collect();
        let conditions = self.conditions.iter();
        notes.extend(conditions.map(|(condition, needs)| asks_more(condition, needs)));
        if !self.optional.is_empty() {
            notes.push(answers_more(self.optional));
        }
        notes
    }

    /// One cell for each scope, in the order of [`Matrix::columns`].
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }
}

/// What a condition asks for, as a line for a person.
///
/// ```
/// use scopeward_policy::matrix::{CONDITIONAL, OPTIONAL, answers_more, asks_more};
///
/// let legend = [CONDITIONAL, OPTIONAL].join("\n");
/// let notes = [asks_more("args.public", "note:share"), answers_more(&["note:admin"])];
/// assert_eq!(notes[0], "* when args.public: also note:share");
/// assert_eq!(notes[1], "+ answers more to a caller with note:admin");
/// # let _ = legend;
/// ```
pub fn asks_more(condition: &str, needs: &str) -> String {
    format!("* when {condition}: also {needs}")
}

/// What the optional scopes of a declaration are for, as a line for a person.
pub fn answers_more(optional: &[&str]) -> String {
    format!("+ answers more to a caller with {}", optional.join(" or "))
}

/// The scopes that a rule names, as sets, because each scope of the policy is compared with them.
struct NamedScopes {
    always: ScopeSet,
    /// Those of each condition.
    conditional: Vec<ScopeSet>,
    optional: ScopeSet,
}

impl NamedScopes {
    fn new(policy: &CompiledPolicy, rule: &Rule, optional: &[&str]) -> Self {
        let when = rule.when.iter();
        Self {
            always: named(&rule.requirement),
            conditional: when.map(|when| named(&when.requirement)).collect(),
            optional: set(optional.iter().filter_map(|scope| policy.scope_id(scope))),
        }
    }

    /// What a caller who holds these scopes can do by the rule.
    fn cell(&self, rule: &Rule, held: &ScopeSet) -> Cell {
        let effect = effect(&rule.requirement, &self.always, held);
        let conditional = || rule.when.iter().zip(&self.conditional);
        let is_enough = |(when, named): (&When, &ScopeSet)| {
            self::effect(&when.requirement, named, held) == Effect::Enough
        };
        Cell {
            effect,
            is_conditional: match effect {
                Effect::Enough => !conditional().all(is_enough),
                // What any caller meets is asked for by no condition.
                _ => self.conditional.iter().any(|named| named.intersects(held)),
            },
            is_optional: self.optional.intersects(held),
        }
    }
}

fn effect(requirement: &Requirement, named: &ScopeSet, held: &ScopeSet) -> Effect {
    let is_named = named.intersects(held);
    if requirement.needs_no_scope() || is_named && requirement.is_met_by(held) {
        Effect::Enough
    } else if is_named {
        Effect::Part
    } else {
        Effect::Nothing
    }
}

/// The scopes that a requirement asks for.
fn named(requirement: &Requirement) -> ScopeSet {
    set(requirement.alternatives().iter().flatten().copied())
}

fn set(scopes: impl Iterator<Item = ScopeId>) -> ScopeSet {
    let mut all = ScopeSet::default();
    scopes.for_each(|scope| all.insert(scope));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Declaration, Location, diagnostic::Source};

    static DECLARED: &[Declaration] = &[
        Declaration::new(
            Feature::Tool,
            "stats",
            &["a:read"],
            &["x:admin"],
            Location::new("a.rs", 1, 1),
        ),
        Declaration::new(
            Feature::Prompt,
            "plan",
            &["a:read"],
            &["x:admin", "gone"],
            Location::new("a.rs", 2, 1),
        ),
    ];

    const POLICY: &str = r#"version = 1
[server]
url = "http://localhost/mcp"
[scopes]
"a:read" = "R"
"a:write" = { title = "W", implies = ["a:read"] }
"x:admin" = { title = "X", implies = ["a:read"] }
z = "Z"
[tools]
look = { read = "a" }
stats = { read = "a" }
share = { write = "a", when = [{ if = "args.public", all_of = ["z", "x:admin"] }, { if = "args.n > 1", authenticated = true }] }
weak = { read = "a", when = [{ if = "args.x", read = "a" }] }
[prompts]
plan = { authenticated = true }
"#;

    fn policy(text: &str) -> CompiledPolicy {
        CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap()
    }

    #[test]
    fn conditions_and_optional_scopes_are_marked_in_each_format() {
        let policy = policy(POLICY);
        let matrix = Matrix::new(&policy, &Registry::new(DECLARED));
        insta::assert_snapshot!("text", matrix.text());
        insta::assert_snapshot!("json", matrix.json());
    }

    #[test]
    fn rows_and_columns_are_left_out_together() {
        let policy = policy(POLICY);
        let mut matrix = Matrix::new(&policy, &Registry::new(DECLARED));
        matrix.keep_columns(|scope| scope.starts_with("a:write"));
        matrix.keep_touched_rows();
        assert_eq!(matrix.columns(), ["a:write"]);
        assert!(matrix.rows().iter().all(|row| row.cells().len() == 1));
        matrix.keep_rows(|name| name == "share");
        matrix.keep_touched_columns();
        let [uses] = &matrix.by_scope()[..] else { panic!("{matrix:?}") };
        assert_eq!((uses.scope, &uses.enough[..]), ("a:write", &["share"][..]));
    }

    #[test]
    fn the_legend_explains_only_the_marks_that_occur() {
        let legend = |text: &str, declared| {
            let policy = policy(text);
            Matrix::new(&policy, &Registry::new(declared)).text()
        };
        let without = POLICY
            .lines()
            .filter(|line| !line.contains("when"))
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        let plain = legend(&without, &[]);
        assert!(!plain.contains('*') && !plain.contains('+'), "{plain}");
        let conditional = legend(POLICY, &[]);
        assert!(conditional.contains(CONDITIONAL) && !conditional.contains(OPTIONAL));
        let optional = legend(&without, DECLARED);
        assert!(!optional.contains(CONDITIONAL) && optional.contains(OPTIONAL));
    }
}
