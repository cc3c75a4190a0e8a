//! The shape of `policy.toml`: every key, what it means and what it takes, in one table.
//!
//! The reader takes from here which keys are known, and the JSON Schema is made of it; so editors
//! complete what the server reads.

use super::{
    Feature,
    provider::Provider,
    settings::{AuditMode, ListMode, OnDenied, StartupCheck},
};

/// A table with fixed keys.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) keys: &'static [Key],
    /// Of these keys exactly one must be there.
    pub(crate) one_of: &'static [&'static str],
    /// Of these keys at least one must be there.
    pub(crate) some_of: &'static [&'static str],
}

/// One key of a table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) is_required: bool,
    /// The key that took its place.
    pub(crate) replaced_by: Option<&'static str>,
    /// What editors show.
    pub(crate) about: &'static str,
}

/// What a key takes.
#[derive(Debug)]
pub(crate) enum Takes {
    /// The number 1.
    One,
    /// A whole number, at least 1.
    Count,
    /// A text that is not empty.
    Text,
    Url,
    /// The part of a scope before `:read`, `:write` or `:admin`.
    ScopePrefix,
    Scope,
    /// Scopes, none of them twice.
    Scopes,
    /// Scopes, at least one.
    SomeScopes,
    Texts,
    Flag,
    /// Only `true`: there is nothing else that it could mean.
    True,
    Word(fn() -> Vec<&'static str>),
    Table(&'static Shape),
    /// A list of tables.
    Tables(&'static Shape),
    /// A table whose keys are scopes.
    ByScope(&'static Takes),
    /// A table whose keys are the names of tools, resources or prompts.
    ByName(&'static Takes),
    /// A table whose keys are the names of lints.
    ByLint(&'static Takes),
    /// A list with at least one item.
    Some(&'static Takes),
    Either(&'static [Takes]),
}

const fn key(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { name, takes, is_required: false, replaced_by: None, about }
}

const fn required(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { name, takes, is_required: true, replaced_by: None, about }
}

/// A former name, which is still read.
const fn former(
    name: &'static str,
    takes: Takes,
    replaced_by: &'static str,
    about: &'static str,
) -> Key {
    Key { name, takes, is_required: false, replaced_by: Some(replaced_by), about }
}

const fn table(keys: &'static [Key]) -> Shape {
    Shape { keys, one_of: &[], some_of: &[] }
}

fn words<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
    words.iter().map(|(word, _)| *word).collect()
}

/// The whole file.
pub(crate) static POLICY: Shape = Shape {
    keys: &[
        required("version", Takes::One, "The version of this format: 1."),
        key("server", Takes::Table(&SERVER), "The server that is protected, and how."),
        former("resource", Takes::Table(&SERVER), "server", "The former name of [server]."),
        key(
            "scopes",
            Takes::ByScope(&Takes::Either(&[Takes::Text, Takes::Table(&SCOPE)])),
            "The vocabulary: each scope, and what it allows in words that people read when they consent.",
        ),
        key(
            "tools",
            Takes::ByName(&Takes::Table(&OPERATION)),
            "One rule for each tool. A tool without a rule cannot be called.",
        ),
        key(
            "resources",
            Takes::ByName(&Takes::Table(&OPERATION)),
            "One rule for each resource, by its URI or URI template. A resource without a rule cannot be read.",
        ),
        key(
            "prompts",
            Takes::ByName(&Takes::Table(&OPERATION)),
            "One rule for each prompt. A prompt without a rule cannot be got.",
        ),
        key(
            "lint",
            Takes::ByLint(&Takes::Word(|| words(LEVELS))),
            "How bad a finding of `policy lint` is: \"error\", \"warn\" or \"off\".",
        ),
        key("client", Takes::Tables(&CLIENT), "Clients that the embedded issuer knows beforehand."),
        key(
            "invariant",
            Takes::Tables(&INVARIANT),
            "What must hold for every set of scopes. Proved by `policy test`, at start and at reload.",
        ),
        key(
            "test",
            Takes::Tables(&CASE),
            "What a caller with some scopes can and cannot call. Checked by `policy test`, at start and at reload.",
        ),
    ],
    // Under its name or its former name, and never both.
    one_of: &["server", "resource"],
    some_of: &[],
};

/// A file of its own for tests and invariants.
pub(crate) static TEST_FILE: Shape = table(&[
    key("invariant", Takes::Tables(&INVARIANT), "What must hold for every set of scopes."),
    key("test", Takes::Tables(&CASE), "What a caller with some scopes can and cannot call."),
]);

/// The snapshot of the registered scopes.
pub(crate) static SNAPSHOT: Shape = table(&[
    required("version", Takes::One, "The version of this format: 1."),
    required("resource", Takes::Url, "The resource that the scopes are registered for."),
    required("issuer", Takes::Url, "Who said so."),
    key("provider", Takes::Text, "The provider's word in the policy."),
    key("source", Takes::Text, "Where exactly it was asked."),
    required("pulled_at", Takes::Text, "When, in UTC."),
    required("scopes", Takes::Scopes, "The registered scopes."),
]);

/// The server that is protected.
pub(crate) static SERVER: Shape = table(&[
    required(
        "url",
        Takes::Url,
        "What clients connect to and tokens are issued for. MCP_URL and PORT override it.",
    ),
    key("provider", Takes::Word(|| words(Provider::words())), "Who issues the tokens."),
    ISSUER,
    AUDIENCE,
    SCOPE_PREFIX,
    OPAQUE,
    key(
        "also",
        Takes::Tables(&ALSO),
        "Further providers whose tokens are accepted, as during a migration from one to another.",
    ),
    key(
        "list",
        Takes::Word(|| words(ListMode::WORDS)),
        "What tools/list shows: \"callable\"; \"step_up\", also what lacks only step_up scopes; \"reachable\", all that somebody could call.",
    ),
    key(
        "on_denied",
        Takes::Word(|| words(OnDenied::WORDS)),
        "How a refusal is said: \"adaptive\", HTTP 403, and a tool error to a client that comes back unchanged; always \"challenge\"; or always \"tool_error\".",
    ),
    key(
        "audit",
        Takes::Word(|| words(AuditMode::WORDS)),
        "\"required\" refuses calls while the audit file cannot be written; \"best_effort\" counts and tells what is lost.",
    ),
    key(
        "registered",
        Takes::Scopes,
        "The scopes registered for this resource; all of [scopes] unless written.",
    ),
    key(
        "snapshot_days",
        Takes::Count,
        "After this many days the snapshot of the registered scopes counts as old; 90 unless written.",
    ),
    key(
        "startup_check",
        Takes::Word(|| words(StartupCheck::WORDS)),
        "\"warn\" starts in spite of a disagreement between the tools, the policy and the registered scopes.",
    ),
    former(
        "check",
        Takes::Word(|| words(StartupCheck::WORDS)),
        "startup_check",
        "The former name of startup_check.",
    ),
]);

const ISSUER: Key = key(
    "issuer",
    Takes::Url,
    "The provider's issuer, byte by byte as its tokens name it. ISSUER_URL overrides that of [server].",
);
const AUDIENCE: Key = key(
    "audience",
    Takes::Text,
    "What tokens for this resource name as their audience; the URL unless written.",
);
const SCOPE_PREFIX: Key = key(
    "scope_prefix",
    Takes::Scope,
    "What the provider writes before this resource's scopes, such as \"api://todo/\". The policy leaves it out; the embedded issuer has none.",
);
const OPAQUE: Key = key(
    "opaque",
    Takes::Flag,
    "Its tokens are checked by asking it (RFC 7662), as INTROSPECTION_CLIENT_ID with INTROSPECTION_CLIENT_SECRET.",
);

/// A further provider.
pub(crate) static ALSO: Shape = table(&[
    required("provider", Takes::Word(|| words(Provider::words())), "Who issues these tokens."),
    ISSUER,
    AUDIENCE,
    SCOPE_PREFIX,
    OPAQUE,
]);

/// A client of the embedded issuer.
pub(crate) static CLIENT: Shape = Shape {
    keys: &[
        required("id", Takes::Text, "What the client calls itself: its client_id."),
        key("name", Takes::Text, "What people read on the consent page; the id unless written."),
        key("redirect_uris", Takes::Texts, "Where people come back to after they signed in."),
        key("scopes", Takes::Scopes, "What it may ask for by itself (client_credentials)."),
        key("secret_env", Takes::Text, "The environment variable that holds its secret."),
    ],
    one_of: &[],
    some_of: &["redirect_uris", "scopes"],
};

pub(crate) static SCOPE: Shape = table(&[
    required("title", Takes::Text, "What the scope allows; people read it when they consent."),
    key("implies", Takes::Scopes, "Whoever holds this scope holds those as well."),
    key("step_up", Takes::Flag, "Not asked for at first sign-in, only when a tool needs it."),
    key("allow", ALLOW, ALLOW_ABOUT),
]);

/// The keys of which a rule has exactly one.
pub(crate) const RULES: [&str; 6] = ["read", "write", "admin", "all_of", "any_of", "authenticated"];

const READ: Key = key("read", Takes::ScopePrefix, "Short for the scope `<name>:read`.");
const WRITE: Key = key("write", Takes::ScopePrefix, "Short for the scope `<name>:write`.");
const ADMIN: Key = key("admin", Takes::ScopePrefix, "Short for the scope `<name>:admin`.");
const ALL_OF: Key = key("all_of", Takes::SomeScopes, "Every one of these scopes.");
const ANY_OF: Key = key(
    "any_of",
    Takes::Some(&ALTERNATIVE_OR_SCOPE),
    "One of these: each a scope, or `{ all_of = [\"…\"] }`.",
);
const AUTHENTICATED: Key = key("authenticated", Takes::True, "Any authenticated caller.");

/// A tool, a resource or a prompt.
pub(crate) static OPERATION: Shape = Shape {
    keys: &[
        READ,
        WRITE,
        ADMIN,
        ALL_OF,
        ANY_OF,
        AUTHENTICATED,
        key("relax", Takes::Text, "Why the rule may ask for less than its author declared."),
        key("hidden", Takes::Flag, "Left out of the lists of those who may not use it."),
        key("allow", ALLOW, ALLOW_ABOUT),
        key(
            "when",
            Takes::Tables(&WHEN),
            "What is needed besides, under a condition on the arguments and the caller's claims.",
        ),
    ],
    one_of: &RULES,
    some_of: &[],
};

/// What is needed besides under a condition.
pub(crate) static WHEN: Shape = Shape {
    keys: &[
        required(
            "if",
            Takes::Text,
            "A condition in CEL over `args`, the arguments, and `claims`, those of the caller's token: \"args.done == true\".",
        ),
        READ,
        WRITE,
        ADMIN,
        ALL_OF,
        ANY_OF,
        AUTHENTICATED,
    ],
    one_of: &RULES,
    some_of: &[],
};

/// A rule by itself.
pub(crate) static RULE: Shape = Shape {
    keys: &[READ, WRITE, ADMIN, ALL_OF, ANY_OF, AUTHENTICATED],
    one_of: &RULES,
    some_of: &[],
};

pub(crate) static ALTERNATIVE: Shape =
    table(&[required("all_of", Takes::SomeScopes, "Every one of these scopes.")]);

static ALTERNATIVE_OR_SCOPE: Takes = Takes::Either(&[Takes::Scope, Takes::Table(&ALTERNATIVE)]);

const ALLOW: Takes = Takes::ByLint(&Takes::Text);
const ALLOW_ABOUT: &str =
    "Findings that are meant, each with its reason: `{ admin-for-reading = \"the reason\" }`.";

pub(crate) static CASE: Shape = Shape {
    keys: &[
        key("name", Takes::Text, "What the case shows."),
        required("scopes", Takes::Scopes, "The scopes that the caller was granted."),
        key("can", Takes::Texts, "Tools that this caller can call."),
        key("cannot", Takes::Texts, "Tools that this caller cannot call."),
        key("can_read", Takes::Texts, "Resources that this caller can read."),
        key("cannot_read", Takes::Texts, "Resources that this caller cannot read."),
        key("can_get", Takes::Texts, "Prompts that this caller can get."),
        key("cannot_get", Takes::Texts, "Prompts that this caller cannot get."),
    ],
    one_of: &[],
    some_of: &["can", "cannot", "can_read", "cannot_read", "can_get", "cannot_get"],
};

/// The keys of a test that try something: with what, and whether it can be done.
pub(crate) const TRIED: [(&str, Feature, bool); 6] = [
    ("can", Feature::Tool, true),
    ("cannot", Feature::Tool, false),
    ("can_read", Feature::Resource, true),
    ("cannot_read", Feature::Resource, false),
    ("can_get", Feature::Prompt, true),
    ("cannot_get", Feature::Prompt, false),
];

pub(crate) static INVARIANT: Shape = Shape {
    keys: &[
        key("name", Takes::Text, "The statement in words."),
        key(
            "tools",
            Takes::Either(&[Takes::Word(|| words(SELECTIONS)), Takes::Texts]),
            "Which tools: \"all\", \"destructive\", \"changing\", \"read_only\", or a list of names.",
        ),
        key(
            "resources",
            Takes::Either(&[Takes::Word(|| words(ALL)), Takes::Texts]),
            "Which resources: \"all\", or a list of URIs and URI templates.",
        ),
        key(
            "prompts",
            Takes::Either(&[Takes::Word(|| words(ALL)), Takes::Texts]),
            "Which prompts: \"all\", or a list of names.",
        ),
        key("needs", Takes::Table(&RULE), "Nobody can use them without this."),
        key(
            "enough",
            Takes::Table(&RULE),
            "Everybody with this can use them, whatever the arguments.",
        ),
    ],
    one_of: &[],
    some_of: &["needs", "enough"],
};

/// How bad a finding is, in `[lint]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Off,
    Warn,
    Error,
}

pub(crate) const LEVELS: &[(&str, Level)] =
    &[("error", Level::Error), ("warn", Level::Warn), ("off", Level::Off)];

/// Tools by what they say of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    All,
    Destructive,
    Changing,
    ReadOnly,
}

pub(crate) const SELECTIONS: &[(&str, Behaviour)] = &[
    ("all", Behaviour::All),
    ("destructive", Behaviour::Destructive),
    ("changing", Behaviour::Changing),
    ("read_only", Behaviour::ReadOnly),
];

/// Resources and prompts: none of them changes anything.
pub(crate) const ALL: &[(&str, Behaviour)] = &[("all", Behaviour::All)];
