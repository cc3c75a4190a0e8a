//! The settings of `[server]` that take a word.

/// The word for a value, from the list that the reader uses.
fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

/// Which tools, resources and prompts the lists show a caller. Exhaustive, so that code that makes
/// lists does not compile until it handles a new mode.
///
/// ```
/// use scopeward_policy::ListMode;
///
/// assert_eq!(ListMode::default().as_str(), "step_up");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListMode {
    /// Only those that the caller may use.
    Callable,
    /// Also those for which the caller lacks only scopes marked `step_up`, because a client cannot step
    /// up to a tool that no list showed it.
    #[default]
    StepUp,
    /// All that some set of registered scopes may use.
    Reachable,
}

impl ListMode {
    pub(super) const WORDS: &[(&str, Self)] =
        &[("callable", Self::Callable), ("step_up", Self::StepUp), ("reachable", Self::Reachable)];

    /// The setting's word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}

/// How a call without the needed scopes is answered. Exhaustive, so that code that answers a refusal
/// does not compile until it handles a new way.
///
/// ```
/// use scopeward_policy::OnDenied;
///
/// assert_eq!(OnDenied::default().as_str(), "adaptive");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDenied {
    /// The challenge. A client that comes back with the same scopes gets tool results with `isError`
    /// from then on, until it comes with other scopes, so that the person reads why.
    #[default]
    Adaptive,
    /// Always HTTP 403 with the RFC 6750 challenge, for clients that can step up.
    Challenge,
    /// Always a tool result with `isError`, for clients that cannot step up.
    ToolError,
}

impl OnDenied {
    pub(super) const WORDS: &[(&str, Self)] = &[
        ("adaptive", Self::Adaptive),
        ("challenge", Self::Challenge),
        ("tool_error", Self::ToolError),
    ];

    /// The setting's word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}

/// Whether a call may run before its audit record was written.
///
/// ```
/// use scopeward_policy::AuditMode;
///
/// assert_eq!(AuditMode::default().as_str(), "best_effort");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AuditMode {
    /// The call runs. Lost records are counted, and the server reports them.
    #[default]
    BestEffort,
    /// The call runs only once its record was handed to the operating system.
    Required,
}

impl AuditMode {
    pub(super) const WORDS: &[(&str, Self)] =
        &[("best_effort", Self::BestEffort), ("required", Self::Required)];

    /// The setting's word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}

/// Whether the startup check stops the start at an error.
///
/// ```
/// use scopeward_policy::StartupCheck;
///
/// assert_eq!(StartupCheck::default().as_str(), "enforce");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StartupCheck {
    /// The server does not start.
    #[default]
    Enforce,
    /// The server prints the error and starts, because the operator asked for that.
    Warn,
}

impl StartupCheck {
    pub(super) const WORDS: &[(&str, Self)] = &[("enforce", Self::Enforce), ("warn", Self::Warn)];

    /// The setting's word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}
