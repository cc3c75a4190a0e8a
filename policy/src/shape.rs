//! The shape of `policy.toml`: every key with its meaning and the kind of its value.
//!
//! The reader looks up here which keys there are, and the JSON Schema is made from the same shape, so
//! editors complete exactly the keys that the server reads.

use super::{
    Feature,
    claims::ClaimType,
    provider::Provider,
    settings::{AuditMode, ListMode, OnDenied, StartupCheck},
};

/// The shape of a table with fixed keys.
#[derive(Debug)]
pub(crate) struct TableShape {
    pub(crate) keys: &'static [Key],
    /// The keys of which a table has exactly one.
    pub(crate) one_of: &'static [&'static str],
    /// The keys of which a table has at least one.
    pub(crate) some_of: &'static [&'static str],
}

/// One key of a table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) takes: ValueKind,
    pub(crate) is_required: bool,
    /// The new name of the key, if this is a former name.
    pub(crate) replaced_by: Option<&'static str>,
    /// The description that editors show.
    pub(crate) about: &'static str,
}

/// The kind of value that a key takes.
#[derive(Debug)]
pub(crate) enum ValueKind {
    /// The number 1.
    One,
    /// A whole number, at least 1.
    Count,
    /// A string that is not blank.
    Text,
    /// A string with an http or https URL.
    Url,
    /// The part of a scope before `:read`, `:write` or `:admin`.
    ScopePrefix,
    /// One scope.
    Scope,
    /// A list of scopes, none of them twice.
    Scopes,
    /// A list of scopes, none of them twice, and at least one.
    SomeScopes,
    /// A list of strings.
    Texts,
    /// `true` or `false`.
    Flag,
    /// Only `true`, because `false` would mean nothing.
    True,
    /// One word of a fixed list.
    Word(fn() -> Vec<&'static str>),
    /// A table with fixed keys.
    Table(&'static TableShape),
    /// A list of tables with fixed keys.
    Tables(&'static TableShape),
    /// A table whose keys are scopes.
    ByScope(&'static ValueKind),
    /// A table whose keys are the names of tools, resources or prompts.
    ByName(&'static ValueKind),
    /// A table whose keys are the names of lints.
    ByLint(&'static ValueKind),
    /// A table with any keys: a JSON object.
    Object,
    /// A list, which may be empty.
    List(&'static ValueKind),
    /// A list with at least one item.
    Some(&'static ValueKind),
    /// A value of one of several kinds.
    Either(&'static [ValueKind]),
}

const fn key(name: &'static str, takes: ValueKind, about: &'static str) -> Key {
    Key { name, takes, is_required: false, replaced_by: None, about }
}

const fn required(name: &'static str, takes: ValueKind, about: &'static str) -> Key {
    Key { name, takes, is_required: true, replaced_by: None, about }
}

/// A key under its former name, which is still read.
const fn former(
    name: &'static str,
    takes: ValueKind,
    replaced_by: &'static str,
    about: &'static str,
) -> Key {
    Key { name, takes, is_required: false, replaced_by: Some(replaced_by), about }
}

const fn table(keys: &'static [Key]) -> TableShape {
    TableShape { keys, one_of: &[], some_of: &[] }
}

/// Whether a table of this name is one of a list, so that its header has two brackets.
pub(crate) fn is_list_of_tables(name: &str) -> bool {
    let shapes = [&POLICY, &SERVER, &OPERATION];
    let mut keys = shapes.iter().flat_map(|shape| shape.keys);
    keys.any(|key| key.name == name && matches!(key.takes, ValueKind::Tables(_)))
}

fn words<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
    words.iter().map(|(word, _)| *word).collect()
}

/// The whole file.
pub(crate) static POLICY: TableShape = TableShape {
    keys: &[
        required("version", ValueKind::One, "The version of this format: 1."),
        key("server", ValueKind::Table(&SERVER), "The server that is protected, and how."),
        former("resource", ValueKind::Table(&SERVER), "server", "The former name of [server]."),
        key(
            "scopes",
            ValueKind::ByScope(&ValueKind::Either(&[ValueKind::Text, ValueKind::Table(&SCOPE)])),
            "The vocabulary: each scope with its title, which people read when they consent.",
        ),
        key(
            "tools",
            ValueKind::ByName(&ValueKind::Table(&OPERATION)),
            "One rule for each tool. A tool without a rule cannot be called.",
        ),
        key(
            "resources",
            ValueKind::ByName(&ValueKind::Table(&OPERATION)),
            "One rule for each resource, by its URI or URI template. A resource without a rule cannot be read.",
        ),
        key(
            "prompts",
            ValueKind::ByName(&ValueKind::Table(&OPERATION)),
            "One rule for each prompt. A prompt without a rule cannot be got.",
        ),
        key(
            "claims",
            ValueKind::ByName(&ValueKind::Word(|| words(ClaimType::WORDS))),
            "The claims that conditions may use, each with its type. Without this table conditions may use any claim.",
        ),
        key(
            "lint",
            ValueKind::ByLint(&ValueKind::Word(|| words(LEVELS))),
            "The level of each lint's findings: \"error\", \"warn\" or \"off\".",
        ),
        key(
            "client",
            ValueKind::Tables(&CLIENT),
            "Clients that are registered at the embedded issuer.",
        ),
        key(
            "invariant",
            ValueKind::Tables(&INVARIANT),
            "What must hold for every set of scopes. Proved by `policy test`, at start and at reload.",
        ),
        key(
            "test",
            ValueKind::Tables(&CASE),
            "What a caller with some scopes can and cannot use. Checked by `policy test`, at start and at reload.",
        ),
    ],
    // `[server]` stands under its name or its former name, and never under both.
    one_of: &["server", "resource"],
    some_of: &[],
};

/// A separate file with tests and invariants.
pub(crate) static TEST_FILE: TableShape = table(&[
    key("invariant", ValueKind::Tables(&INVARIANT), "What must hold for every set of scopes."),
    key("test", ValueKind::Tables(&CASE), "What a caller with some scopes can and cannot use."),
]);

/// `registered-scopes.toml`, the snapshot of the registered scopes.
pub(crate) static SNAPSHOT: TableShape = table(&[
    required("version", ValueKind::One, "The version of this format: 1."),
    required("resource", ValueKind::Url, "The resource that the scopes are registered for."),
    required("issuer", ValueKind::Url, "The issuer that has registered them."),
    key("provider", ValueKind::Text, "The provider's word in the policy."),
    key("source", ValueKind::Text, "The URL that was asked for them."),
    required("pulled_at", ValueKind::Text, "When they were asked for, in UTC."),
    required("scopes", ValueKind::Scopes, "The registered scopes."),
]);

/// `[server]`, the settings of the server that the policy protects.
pub(crate) static SERVER: TableShape = table(&[
    required(
        "url",
        ValueKind::Url,
        "The URL that clients connect to and tokens are issued for. MCP_URL and PORT override it.",
    ),
    key("provider", ValueKind::Word(|| words(Provider::words())), "Who issues the tokens."),
    ISSUER,
    AUDIENCE,
    SCOPE_PREFIX,
    OPAQUE,
    key(
        "also",
        ValueKind::Tables(&ALSO),
        "Further providers whose tokens are accepted, as during a migration between providers.",
    ),
    key(
        "list",
        ValueKind::Word(|| words(ListMode::WORDS)),
        "What the lists show: \"callable\", what the caller may use; \"step_up\", also what lacks only step_up scopes; \"reachable\", all that some registered scopes would allow.",
    ),
    key(
        "on_denied",
        ValueKind::Word(|| words(OnDenied::WORDS)),
        "How a refused call is answered: \"challenge\", HTTP 403; \"tool_error\", a tool result with isError; \"adaptive\", HTTP 403, and tool errors to a client that comes back with the same scopes.",
    ),
    key(
        "audit",
        ValueKind::Word(|| words(AuditMode::WORDS)),
        "\"required\" runs a call only once its audit record was written; \"best_effort\" runs it, and counts and reports lost records.",
    ),
    key(
        "origins",
        ValueKind::Texts,
        "The origins of pages that may use this server from a browser, such as \"https://claude.ai\". Its own origin, and on loopback those of loopback, may always.",
    ),
    key(
        "registered",
        ValueKind::Scopes,
        "The scopes that are registered for this server; all of [scopes] unless written.",
    ),
    key(
        "snapshot_days",
        ValueKind::Count,
        "After this many days the snapshot of the registered scopes counts as old; 90 unless written.",
    ),
    key(
        "startup_check",
        ValueKind::Word(|| words(StartupCheck::WORDS)),
        "\"warn\" starts in spite of a disagreement between the declared scopes, the policy and the registered scopes.",
    ),
    former(
        "check",
        ValueKind::Word(|| words(StartupCheck::WORDS)),
        "startup_check",
        "The former name of startup_check.",
    ),
]);

const ISSUER: Key = key(
    "issuer",
    ValueKind::Url,
    "The provider's issuer, byte by byte as its tokens name it. ISSUER_URL overrides the one in [server].",
);
const AUDIENCE: Key = key(
    "audience",
    ValueKind::Either(&[ValueKind::Text, ValueKind::Some(&ValueKind::Text)]),
    "The audience of tokens for this server, or a list of them; the server's URL unless written.",
);
const SCOPE_PREFIX: Key = key(
    "scope_prefix",
    ValueKind::Scope,
    "The prefix that the provider writes before this server's scopes, such as \"api://todo/\". Scopes in the policy leave it out; the embedded issuer has none.",
);
const OPAQUE: Key = key(
    "opaque",
    ValueKind::Flag,
    "Tokens are checked by asking the provider (RFC 7662), as INTROSPECTION_CLIENT_ID with INTROSPECTION_CLIENT_SECRET.",
);

/// `[[server.also]]`, a further provider.
pub(crate) static ALSO: TableShape = table(&[
    required("provider", ValueKind::Word(|| words(Provider::words())), "Who issues these tokens."),
    ISSUER,
    AUDIENCE,
    SCOPE_PREFIX,
    OPAQUE,
]);

/// `[[client]]`, a client that is registered at the embedded issuer.
pub(crate) static CLIENT: TableShape = TableShape {
    keys: &[
        required("id", ValueKind::Text, "The client_id that the client sends."),
        key(
            "name",
            ValueKind::Text,
            "The name that people read on the consent page; the id unless written.",
        ),
        key(
            "redirect_uris",
            ValueKind::Texts,
            "The redirect URIs: where people come back to after they signed in.",
        ),
        key(
            "scopes",
            ValueKind::Scopes,
            "The scopes that it may ask for without a person (client_credentials).",
        ),
        key("secret_env", ValueKind::Text, "The environment variable that holds its secret."),
    ],
    one_of: &[],
    some_of: &["redirect_uris", "scopes"],
};

/// An entry of `[scopes]` that is a table.
pub(crate) static SCOPE: TableShape = table(&[
    required("title", ValueKind::Text, "What the scope allows; people read it when they consent."),
    key("implies", ValueKind::Scopes, "A caller who holds this scope holds these as well."),
    key("step_up", ValueKind::Flag, "Not asked for at first sign-in, only when a tool needs it."),
    key("allow", ALLOW, ALLOW_ABOUT),
]);

/// The keys that say which scopes are needed. A rule has exactly one of them.
pub(crate) const RULES: [&str; 7] =
    ["read", "write", "admin", "all_of", "any_of", "authenticated", "anonymous"];

/// The same under a condition, which can only ask for more, and so never for nothing.
pub(crate) const RULES_UNDER_CONDITIONS: [&str; 6] =
    ["read", "write", "admin", "all_of", "any_of", "authenticated"];

const READ: Key = key("read", ValueKind::ScopePrefix, "Short for the scope `<name>:read`.");
const WRITE: Key = key("write", ValueKind::ScopePrefix, "Short for the scope `<name>:write`.");
const ADMIN: Key = key("admin", ValueKind::ScopePrefix, "Short for the scope `<name>:admin`.");
const ALL_OF: Key = key("all_of", ValueKind::SomeScopes, "Every one of these scopes.");
const ANY_OF: Key = key(
    "any_of",
    ValueKind::Some(&ALTERNATIVE_OR_SCOPE),
    "One of these: each a scope, or `{ all_of = [\"…\"] }`.",
);
const AUTHENTICATED: Key = key("authenticated", ValueKind::True, "Any authenticated caller.");
const ANONYMOUS: Key = key("anonymous", ValueKind::True, "Everybody, also without a token.");

/// The entry of a tool, resource or prompt: its rule and what belongs to it.
pub(crate) static OPERATION: TableShape = TableShape {
    keys: &[
        READ,
        WRITE,
        ADMIN,
        ALL_OF,
        ANY_OF,
        AUTHENTICATED,
        ANONYMOUS,
        key("relax", ValueKind::Text, "Why the rule may ask for less than its author declared."),
        key("hidden", ValueKind::Flag, "Lists leave it out for callers who may not use it."),
        key("allow", ALLOW, ALLOW_ABOUT),
        key(
            "when",
            ValueKind::Tables(&WHEN),
            "Further scopes that are needed under a condition on the arguments and the caller's claims.",
        ),
    ],
    one_of: &RULES,
    some_of: &[],
};

/// `[[tools.….when]]`, a further rule under a condition.
pub(crate) static WHEN: TableShape = TableShape {
    keys: &[
        required(
            "if",
            ValueKind::Text,
            "A condition in CEL on `args`, the arguments, and `claims`, the claims of the caller's token: \"args.done == true\".",
        ),
        READ,
        WRITE,
        ADMIN,
        ALL_OF,
        ANY_OF,
        AUTHENTICATED,
    ],
    one_of: &RULES_UNDER_CONDITIONS,
    some_of: &[],
};

/// A rule without anything else, in `needs` and `enough`.
pub(crate) static RULE: TableShape = TableShape {
    keys: &[READ, WRITE, ADMIN, ALL_OF, ANY_OF, AUTHENTICATED, ANONYMOUS],
    one_of: &RULES,
    some_of: &[],
};

/// An alternative of `any_of` that is a table.
pub(crate) static ALTERNATIVE: TableShape =
    table(&[required("all_of", ValueKind::SomeScopes, "Every one of these scopes.")]);

static ALTERNATIVE_OR_SCOPE: ValueKind =
    ValueKind::Either(&[ValueKind::Scope, ValueKind::Table(&ALTERNATIVE)]);

const ALLOW: ValueKind = ValueKind::ByLint(&ValueKind::Text);
const ALLOW_ABOUT: &str =
    "Findings that are silenced, each with a reason: `{ admin-for-reading = \"the reason\" }`.";

/// `[[test]]`, a caller and what the caller can and cannot use.
pub(crate) static CASE: TableShape = TableShape {
    keys: &[
        key("name", ValueKind::Text, "What the case shows."),
        key("scopes", ValueKind::Scopes, "The scopes that the caller was granted."),
        key("anonymous", ValueKind::True, "The caller has no token. Instead of `scopes`."),
        key(
            "claims",
            ValueKind::Object,
            "The claims of the caller's token. Without them, the test is about callers with any claims.",
        ),
        key(
            "arguments",
            ValueKind::Object,
            "The arguments of each tool and prompt that the test tries, unless an entry has its own. Without them, the test is about calls with any arguments.",
        ),
        key(
            "can",
            TRIED_TOOLS,
            "Tools that this caller can call; without `arguments`, whatever the arguments are.",
        ),
        key(
            "cannot",
            TRIED_TOOLS,
            "Tools that this caller cannot call; without `arguments`, with no arguments at all.",
        ),
        key(
            "can_read",
            ValueKind::List(&ValueKind::Text),
            "Resources that this caller can read. Their arguments are in the URI.",
        ),
        key(
            "cannot_read",
            ValueKind::List(&ValueKind::Text),
            "Resources that this caller cannot read. Their arguments are in the URI.",
        ),
        key(
            "can_get",
            TRIED_PROMPTS,
            "Prompts that this caller can get; without `arguments`, whatever the arguments are.",
        ),
        key(
            "cannot_get",
            TRIED_PROMPTS,
            "Prompts that this caller cannot get; without `arguments`, with no arguments at all.",
        ),
    ],
    one_of: &["scopes", "anonymous"],
    some_of: &["can", "cannot", "can_read", "cannot_read", "can_get", "cannot_get"],
};

const TRIED_TOOLS: ValueKind =
    ValueKind::List(&ValueKind::Either(&[ValueKind::Text, ValueKind::Table(&TRIED_TOOL)]));
const TRIED_PROMPTS: ValueKind =
    ValueKind::List(&ValueKind::Either(&[ValueKind::Text, ValueKind::Table(&TRIED_PROMPT)]));
const ONLY_ARGUMENTS: Key = key(
    "arguments",
    ValueKind::Object,
    "The arguments of this call, in place of those of the test.",
);

/// A tool that a test tries with arguments of its own.
pub(crate) static TRIED_TOOL: TableShape =
    table(&[required("tool", ValueKind::Text, "The name of the tool."), ONLY_ARGUMENTS]);

/// A prompt that a test tries with arguments of its own.
pub(crate) static TRIED_PROMPT: TableShape =
    table(&[required("prompt", ValueKind::Text, "The name of the prompt."), ONLY_ARGUMENTS]);

/// The keys of a test that try names: each with its feature, and whether the caller can use them.
pub(crate) const TRIED: [(&str, Feature, bool); 6] = [
    ("can", Feature::Tool, true),
    ("cannot", Feature::Tool, false),
    ("can_read", Feature::Resource, true),
    ("cannot_read", Feature::Resource, false),
    ("can_get", Feature::Prompt, true),
    ("cannot_get", Feature::Prompt, false),
];

/// `[[invariant]]`, what must hold for every set of scopes.
pub(crate) static INVARIANT: TableShape = TableShape {
    keys: &[
        key("name", ValueKind::Text, "The statement in words."),
        key(
            "tools",
            ValueKind::Either(&[ValueKind::Word(|| words(SELECTIONS)), ValueKind::Texts]),
            "Which tools: \"all\", \"destructive\", \"changing\", \"read_only\", or a list of names.",
        ),
        key(
            "resources",
            ValueKind::Either(&[ValueKind::Word(|| words(ALL)), ValueKind::Texts]),
            "Which resources: \"all\", or a list of URIs and URI templates.",
        ),
        key(
            "prompts",
            ValueKind::Either(&[ValueKind::Word(|| words(ALL)), ValueKind::Texts]),
            "Which prompts: \"all\", or a list of names.",
        ),
        key(
            "claims",
            ValueKind::Object,
            "Only callers whose token has these claims. Without them, callers with any claims.",
        ),
        key(
            "arguments",
            ValueKind::Object,
            "Only calls with these arguments. Without them, calls with any arguments.",
        ),
        key("needs", ValueKind::Table(&RULE), "The scopes without which nobody can use them."),
        key(
            "enough",
            ValueKind::Table(&RULE),
            "The scopes with which everybody can use them, whatever the arguments.",
        ),
    ],
    one_of: &[],
    some_of: &["needs", "enough"],
};

/// The level that `[lint]` gives to the findings of a lint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Off,
    Warn,
    Error,
}

/// The words for the levels.
pub(crate) const LEVELS: &[(&str, Level)] =
    &[("error", Level::Error), ("warn", Level::Warn), ("off", Level::Off)];

/// Tools by their annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    All,
    Destructive,
    Changing,
    ReadOnly,
}

/// The words that select tools in an invariant.
pub(crate) const SELECTIONS: &[(&str, Behaviour)] = &[
    ("all", Behaviour::All),
    ("destructive", Behaviour::Destructive),
    ("changing", Behaviour::Changing),
    ("read_only", Behaviour::ReadOnly),
];

/// The word that selects resources or prompts. It is the only one, because none of them changes
/// anything.
pub(crate) const ALL: &[(&str, Behaviour)] = &[("all", Behaviour::All)];
