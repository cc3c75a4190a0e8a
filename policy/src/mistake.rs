//! The kinds of mistake that a policy file can have. A file with a mistake compiles to no policy.

use crate::diagnostic::Kind;

macro_rules! mistakes {
    ($($constant:ident $id:literal $name:literal $summary:literal)*) => {
        $(pub(crate) const $constant: Kind = Kind::new($id, $name, $summary);)*

        /// Every mistake that a policy file can hold.
        pub(crate) const ALL: &[Kind] = &[$($constant),*];
    };
}

mistakes! {
    INVALID_TOML "SW101" "invalid-toml" "A line is not TOML. The rest of the file is checked as far as it can be read."
    MISSING_VERSION "SW102" "missing-version" "The policy does not begin with `version = 1`."
    UNKNOWN_VERSION "SW103" "unknown-version" "The policy is written for another release of Scopeward."
    WRONG_TYPE "SW104" "wrong-type" "A value has the wrong type."
    UNKNOWN_KEY "SW105" "unknown-key" "A key that means nothing: misspelt, or in the wrong table."
    UNKNOWN_VALUE "SW106" "unknown-value" "A word that its key does not take."
    MISSING_URL "SW107" "missing-url" "The policy does not say what it protects: `[server]` has no `url`."
    INVALID_URL "SW108" "invalid-url" "The URL cannot name a protected resource (RFC 8707, section 2): it must be absolute, without a fragment, and `https` unless it is on loopback."
    MISSING_TITLE "SW109" "missing-title" "A scope does not say what it allows. People read its title when they consent."
    INVALID_SCOPE "SW110" "invalid-scope" "Not a scope-token (RFC 6749, section 3.3): printable ASCII without space, `\"` and `\\`."
    UNDEFINED_SCOPE "SW111" "undefined-scope" "A scope that `[scopes]` does not define."
    DUPLICATE_SCOPE "SW112" "duplicate-scope" "A list names a scope twice."
    IMPLIES_CYCLE "SW113" "implies-cycle" "`implies` runs in a circle: the scopes in it would mean the same."
    MISSING_RULE "SW114" "missing-rule" "Nothing says who may use something, or an alternative names no scope."
    TWO_RULES "SW115" "two-rules" "One thing has two rules; access never depends on a guess."
    EMPTY_RULE "SW116" "empty-rule" "An empty list of scopes allows nobody, and is never \"open to all\"."
    EMPTY_TEXT "SW117" "empty-text" "A reason or a name that says nothing."
    MISSING_KEY "SW118" "missing-key" "A table lacks a part without which it says nothing."
    INVALID_CONDITION "SW121" "invalid-condition" "The condition of a `when` is not CEL, or is CEL whose cost has no bound."
    INVALID_URI "SW122" "invalid-uri" "Not the URI of a resource, or a URI template that cannot be matched."
    OVERLAPPING_RESOURCES "SW123" "overlapping-resources" "A URI could be of two resources; access never depends on a guess."
    DUPLICATE_CLIENT "SW124" "duplicate-client" "Two clients have the same id."
    TWO_SERVERS "SW125" "two-servers" "`[server]` and its former name `[resource]` are both there; which of them counts would be a guess."
    INVALID_CALL "SW126" "invalid-call" "A test or an invariant gives arguments that no call can have, or claims that no token can have."
    TOO_MANY_SCOPES "SW127" "too-many-scopes" "`[scopes]` defines more than 10,000 scopes. Which scope gives which others takes memory that grows with the square of their number."
    INVALID_ORIGIN "SW128" "invalid-origin" "Not an origin that browsers send (RFC 6454), or one whose pages anybody can change."
    NO_EFFECT "SW129" "no-effect" "A setting that has no effect, because another one decides what it would."
    INVALID_VARIABLE "SW130" "invalid-variable" "Not the name of an environment variable: letters, digits and `_`, not beginning with a digit."
}
