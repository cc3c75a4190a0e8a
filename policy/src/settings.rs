//! The words that `[server]` takes.

/// The word for a value, from the list that the reader takes.
fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

/// Which tools, resources and prompts the lists show a caller. Exhaustive, so that whoever makes lists
/// has to look again when there is another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListMode {
    /// What the caller may call, and nothing else.
    Callable,
    /// Also the tools that lack only scopes marked `step_up`: the caller was not asked for them
    /// yet, and a client cannot step up to a tool that it never saw.
    #[default]
    StepUp,
    /// All that some set of registered scopes could call.
    Reachable,
}

impl ListMode {
    pub(super) const WORDS: &[(&str, Self)] =
        &[("callable", Self::Callable), ("step_up", Self::StepUp), ("reachable", Self::Reachable)];

    /// The word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}

/// How a call without the needed scopes is refused. Exhaustive, so that whoever answers a refusal has
/// to look again when there is another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDenied {
    /// The challenge; and when the same caller comes back for the same with the same grant, the
    /// tool result, once, in words for the person.
    #[default]
    Adaptive,
    /// HTTP 403 with the RFC 6750 challenge, for clients that can step up.
    Challenge,
    /// A tool result with `isError`, for clients that cannot.
    ToolError,
}

impl OnDenied {
    pub(super) const WORDS: &[(&str, Self)] = &[
        ("adaptive", Self::Adaptive),
        ("challenge", Self::Challenge),
        ("tool_error", Self::ToolError),
    ];

    /// The word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}

/// Whether a call may run that leaves no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AuditMode {
    /// It may: what is lost is counted and told.
    #[default]
    BestEffort,
    /// It may not: while the audit file cannot be written, nothing is called.
    Required,
}

impl AuditMode {
    pub(super) const WORDS: &[(&str, Self)] =
        &[("best_effort", Self::BestEffort), ("required", Self::Required)];

    /// The word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}

/// What the startup check does with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StartupCheck {
    /// Refuse to start.
    #[default]
    Enforce,
    /// Print it and start: the operator's explicit way out.
    Warn,
}

impl StartupCheck {
    pub(super) const WORDS: &[(&str, Self)] = &[("enforce", Self::Enforce), ("warn", Self::Warn)];

    /// The word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}
