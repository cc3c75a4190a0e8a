//! The declared scopes: what authors wrote in `#[scoped_tool]` and its siblings, as plain data.

use std::{collections::HashMap, fmt, ops::Index, sync::Arc};

use super::{Feature, Object, Scope};

/// The place in a Rust source file where a tool, resource or prompt was declared.
///
/// ```
/// use scopeward_policy::Location;
///
/// const HERE: Location = Location::new("src/notes.rs", 12, 5);
/// assert_eq!(HERE.to_string(), "src/notes.rs:12:5");
/// assert_eq!((HERE.file(), HERE.line()), ("src/notes.rs", 12));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    file: &'static str,
    line: u32,
    column: u32,
}

impl Location {
    /// Makes a place in a source file. Line and column count from 1.
    pub const fn new(file: &'static str, line: u32, column: u32) -> Self {
        Self { file, line, column }
    }

    /// The path of the source file.
    pub const fn file(&self) -> &'static str {
        self.file
    }

    /// The line in the file.
    pub const fn line(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One annotated tool, resource or prompt with its declared scopes. The policy may ask for more than
/// the declared scopes, and for less only with a reason (`relax`).
///
/// ```
/// use scopeward_policy::{Declaration, Feature, Location, Registry};
///
/// const SEARCH: Declaration = Declaration::new(
///     Feature::Tool,
///     "search",
///     &["note:read"],
///     &["note:admin"],
///     Location::new(file!(), line!(), column!()),
/// )
/// .with_hints(Some(true), None)
/// .with_fields(None)
/// .answering_only_if(false)
/// .answering_only();
///
/// let declared = Registry::new(&[SEARCH]);
/// let search = declared.get(Feature::Tool, "search").ok_or("not declared")?;
/// assert_eq!((search.feature(), search.name()), (Feature::Tool, "search"));
/// assert_eq!((search.scopes(), search.optional()), (&["note:read"][..], &["note:admin"][..]));
/// assert!(search.names_scope("note:admin"));
/// assert!(search.is_read_only() && !search.is_destructive() && search.says_what_it_changes());
/// assert!(search.only_answers() && search.arguments().is_none() && search.fields().is_none());
/// assert!(search.location().line() > 0);
/// assert_eq!(declared.of(Feature::Prompt).count(), 0);
/// assert!(!declared.all().is_empty() && declared.all().iter().get(1).is_none());
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    feature: Feature,
    name: &'static str,
    scopes: &'static [&'static str],
    optional: &'static [&'static str],
    read_only: Option<bool>,
    destructive: Option<bool>,
    location: Location,
    arguments: Option<fn() -> Arc<Object>>,
    fields: Option<fn() -> Arc<Object>>,
    only_answers: bool,
    is_anonymous: bool,
    needs_caller: bool,
}

impl Declaration {
    /// Makes a declaration. `#[scoped_tools]` calls this in a constant, so that a scope that is not
    /// an RFC 6749 scope-token does not compile.
    ///
    /// # Panics
    ///
    /// If a scope is not a scope-token.
    pub const fn new(
        feature: Feature,
        name: &'static str,
        scopes: &'static [&'static str],
        optional: &'static [&'static str],
        location: Location,
    ) -> Self {
        assert_scopes(scopes);
        assert_scopes(optional);
        Self {
            feature,
            name,
            scopes,
            optional,
            read_only: None,
            destructive: None,
            location,
            arguments: None,
            fields: None,
            only_answers: false,
            is_anonymous: false,
            needs_caller: false,
        }
    }

    /// The same declaration, open to callers without a token. The policy still has to say so.
    ///
    /// ```
    /// use scopeward_policy::{Declaration, Feature, Location};
    ///
    /// const HOURS: Declaration =
    ///     Declaration::new(Feature::Tool, "opening_hours", &[], &[], Location::new("src/main.rs", 9, 5))
    ///         .needing_caller_if(false)
    ///         .open_to_anonymous();
    /// assert!(HOURS.is_open_to_anonymous() && !HOURS.needs_caller());
    /// ```
    ///
    /// # Panics
    ///
    /// If it declares scopes, which a caller without a token never holds.
    #[must_use]
    pub const fn open_to_anonymous(self) -> Self {
        assert!(self.scopes.is_empty(), "a caller without a token holds no scope");
        Self { is_anonymous: true, ..self }
    }

    /// The same declaration, whose method has a parameter that only a caller with a token has, if
    /// `needs` is `true`.
    #[must_use]
    pub const fn needing_caller_if(self, needs: bool) -> Self {
        Self { needs_caller: needs, ..self }
    }

    /// The same tool, marked as sending nothing before its result, because no parameter of its method
    /// lets it send a notification or a question.
    #[must_use]
    pub const fn answering_only(self) -> Self {
        Self { only_answers: true, ..self }
    }

    /// The same tool, marked as [`Self::answering_only`] does if `only` is `true`.
    #[must_use]
    pub const fn answering_only_if(self, only: bool) -> Self {
        Self { only_answers: only, ..self }
    }

    /// The same tool with its annotations: MCP's `readOnlyHint` and `destructiveHint`.
    #[must_use]
    pub const fn with_hints(self, read_only: Option<bool>, destructive: Option<bool>) -> Self {
        Self { read_only, destructive, ..self }
    }

    /// The same declaration with the JSON Schema of its arguments. The lint checks the conditions of
    /// the rule against that schema.
    #[must_use]
    pub const fn with_arguments(self, arguments: fn() -> Arc<Object>) -> Self {
        Self { arguments: Some(arguments), ..self }
    }

    /// The same resource with the JSON Schema of the struct that its variables are read into, if
    /// there is one. The lint compares the struct with the URI template.
    #[must_use]
    pub const fn with_fields(self, fields: Option<fn() -> Arc<Object>>) -> Self {
        Self { fields, ..self }
    }

    /// Whether this is a tool, a resource or a prompt.
    pub const fn feature(&self) -> Feature {
        self.feature
    }

    /// The name in MCP; for a resource, the URI or URI template.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The declared scopes: by its author, a caller must hold all of them.
    pub const fn scopes(&self) -> &'static [&'static str] {
        self.scopes
    }

    /// Whether the declaration names this scope, in `scopes` or in `optional`.
    pub fn names_scope(&self, scope: &str) -> bool {
        self.scopes.contains(&scope) || self.optional.contains(&scope)
    }

    /// The scopes that the tool asks about itself (`optional`), to answer more to some callers.
    pub const fn optional(&self) -> &'static [&'static str] {
        self.optional
    }

    /// Whether its author declared it open to callers without a token.
    pub const fn is_open_to_anonymous(&self) -> bool {
        self.is_anonymous
    }

    /// Whether the method has a parameter that only a caller with a token has.
    pub const fn needs_caller(&self) -> bool {
        self.needs_caller
    }

    /// Whether a use changes nothing. A tool changes nothing only if its annotations say so, as in
    /// MCP; resources and prompts never change anything.
    pub const fn is_read_only(&self) -> bool {
        !matches!(self.feature, Feature::Tool) || matches!(self.read_only, Some(true))
    }

    /// Whether a use may destroy something: MCP's default for a tool that is not read-only.
    pub const fn is_destructive(&self) -> bool {
        !self.is_read_only() && !matches!(self.destructive, Some(false))
    }

    /// Whether it is known what a use changes: from the annotations of a tool; always for the others.
    pub const fn says_what_it_changes(&self) -> bool {
        !matches!(self.feature, Feature::Tool)
            || self.read_only.is_some()
            || self.destructive.is_some()
    }

    /// Whether the tool sends nothing before its result: no notification and no question.
    pub const fn only_answers(&self) -> bool {
        self.only_answers
    }

    /// The place of the declaration in its source file.
    pub const fn location(&self) -> Location {
        self.location
    }

    /// The JSON Schema of the arguments, if it is known.
    pub fn arguments(&self) -> Option<Arc<Object>> {
        self.arguments.map(|schema| schema())
    }

    /// What does not fit the JSON Schema of the arguments, each fault in one sentence: unknown names,
    /// with the nearest right one, and wrong types. Arguments may be left out.
    ///
    /// ```
    /// use scopeward_policy::{Declaration, Feature, Location};
    ///
    /// let share = Declaration::new(
    ///     Feature::Tool, "share_note", &[], &[], Location::new("src/notes.rs", 1, 1),
    /// );
    /// let share = share.with_arguments(|| {
    ///     let schema = serde_json::json!({ "properties": { "with": { "type": "string" } } });
    ///     std::sync::Arc::new(schema.as_object().cloned().unwrap_or_default())
    /// });
    /// let given = serde_json::json!({ "wiht": "ada" });
    /// let faults = share.argument_faults(given.as_object().ok_or("not an object")?);
    /// let said = "the tool `share_note` takes no argument `wiht`: did you mean `with`?";
    /// assert_eq!(faults, [said]);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn argument_faults(&self, arguments: &Object) -> Vec<String> {
        let Some(schema) = self.arguments() else { return vec![] };
        let what = format!("the {} `{}`", self.feature, self.name);
        let faults = crate::assertions::fit::faults(arguments, &schema, &what);
        faults.into_iter().map(|(_, fault)| fault).collect()
    }

    /// The JSON Schema of the struct that the variables of a resource's URI are read into, if it is
    /// known.
    pub fn fields(&self) -> Option<Arc<Object>> {
        self.fields.map(|schema| schema())
    }
}

const fn assert_scopes(scopes: &[&str]) {
    let mut index = 0;
    while index < scopes.len() {
        assert!(Scope::is_valid(scopes[index]), "not a scope-token (RFC 6749, section 3.3)");
        index += 1;
    }
}

/// Every tool, resource and prompt that a server offers, as declared.
///
/// The declarations stand in parts: the blocks of `#[scoped_tools]` that a type has.
#[derive(Debug, Clone, Copy)]
pub struct Registry {
    first: &'static [Declaration],
    more: &'static [&'static [Declaration]],
}

impl Registry {
    /// Makes a registry of one part.
    pub const fn new(declarations: &'static [Declaration]) -> Self {
        Self { first: declarations, more: &[] }
    }

    /// Makes a registry of several parts, which are not copied.
    pub const fn of_parts(parts: &'static [&'static [Declaration]]) -> Self {
        match parts {
            [first, more @ ..] => Self { first, more },
            [] => Self::new(&[]),
        }
    }

    /// All declarations, part by part, in the order of the methods in the source.
    pub const fn all(&self) -> Declarations {
        Declarations { part: self.first, more: self.more }
    }

    /// Whether these are the very declarations of the other registry, in the same place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.first, other.first) && std::ptr::eq(self.more, other.more)
    }

    /// The declarations of one feature.
    pub fn of(&self, feature: Feature) -> impl Iterator<Item = &'static Declaration> + Clone {
        self.all().filter(move |declaration| declaration.feature == feature)
    }

    /// The declaration of a feature and name.
    pub fn get(&self, feature: Feature, name: &str) -> Option<&'static Declaration> {
        self.of(feature).find(|declaration| declaration.name == name)
    }
}

/// The declarations of a registry by feature and name, for questions about many of them.
#[derive(Debug)]
pub(crate) struct DeclarationIndex(HashMap<(Feature, &'static str), &'static Declaration>);

impl DeclarationIndex {
    pub(crate) fn new(registry: &Registry) -> Self {
        let mut index = HashMap::new();
        for one in registry.all() {
            index.entry((one.feature(), one.name())).or_insert(one);
        }
        Self(index)
    }

    /// The declaration of a feature and name; of two, the first.
    pub(crate) fn get(&self, feature: Feature, name: &str) -> Option<&'static Declaration> {
        self.0.get(&(feature, name)).copied()
    }
}

/// Declarations, one after the other. [`Registry::all`] makes them.
///
/// ```
/// use scopeward_policy::{Declaration, Feature, Location, Registry};
///
/// const LOOK: Declaration =
///     Declaration::new(Feature::Tool, "look", &[], &[], Location::new("src/main.rs", 1, 1));
/// let all = Registry::of_parts(&[&[LOOK], &[], &[LOOK]]).all();
/// assert_eq!(all.len(), 2);
/// assert_eq!(all[1].name(), "look");
/// ```
#[derive(Debug, Clone)]
pub struct Declarations {
    part: &'static [Declaration],
    more: &'static [&'static [Declaration]],
}

impl Declarations {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The declarations again, for loops that should leave these as they are.
    #[must_use]
    pub fn iter(&self) -> Self {
        self.clone()
    }

    /// The declaration with this number.
    pub fn get(&self, number: usize) -> Option<&'static Declaration> {
        self.clone().nth(number)
    }
}

impl IntoIterator for &Declarations {
    type Item = &'static Declaration;
    type IntoIter = Declarations;

    fn into_iter(self) -> Declarations {
        self.iter()
    }
}

impl Iterator for Declarations {
    type Item = &'static Declaration;

    fn next(&mut self) -> Option<&'static Declaration> {
        loop {
            if let [first, rest @ ..] = self.part {
                self.part = rest;
                return Some(first);
            }
            let [next, more @ ..] = self.more else { return None };
            (self.part, self.more) = (next, more);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let all = self.part.len() + self.more.iter().map(|part| part.len()).sum::<usize>();
        (all, Some(all))
    }
}

impl ExactSizeIterator for Declarations {}

impl Index<usize> for Declarations {
    type Output = Declaration;

    /// The declaration with this number.
    ///
    /// # Panics
    ///
    /// If there is none, as a slice does.
    #[expect(clippy::panic, reason = "an index that is out of range panics everywhere")]
    fn index(&self, number: usize) -> &Declaration {
        self.get(number).unwrap_or_else(|| panic!("no declaration has the number {number}"))
    }
}
