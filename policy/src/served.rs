//! The providers of a policy in a deployment: can a server start with them?
//!
//! A server starts with what [`CompiledPolicy::served_providers`] gives. Where that gives faults, the
//! server refuses to start, and `policy lint` reports the same faults before.

mod doubts;
#[cfg(test)]
mod doubts_tests;

use std::{borrow::Cow, collections::HashMap, fmt};

use crate::{
    CompiledPolicy, KnownClient, Provider, ProviderSettings,
    provider::{AudienceIn, Preset, Setup, Tokens},
    url::may_be_asked,
};

/// The variable that overrides the issuer of the provider where callers sign in.
pub(crate) const ISSUER_URL: &str = "ISSUER_URL";
/// The variable that says where opaque tokens are checked.
const INTROSPECTION_URL: &str = "INTROSPECTION_URL";
/// The variables of the client that checks opaque tokens, and what each is.
const INTROSPECTION_CLIENT: [&str; 2] = ["INTROSPECTION_CLIENT_ID", "INTROSPECTION_CLIENT_SECRET"];

/// The variables by which Scalekit is reached.
const SCALEKIT: [&str; 2] = ["SCALEKIT_ENVIRONMENT_URL", "SCALEKIT_RESOURCE_ID"];

/// The variables that [`CompiledPolicy::served_providers`] reads.
///
/// ```
/// use scopeward_policy::served::VARIABLES;
///
/// assert!(VARIABLES.contains(&"ISSUER_URL"));
/// ```
pub const VARIABLES: [&str; 6] = [
    ISSUER_URL,
    INTROSPECTION_URL,
    INTROSPECTION_CLIENT[0],
    INTROSPECTION_CLIENT[1],
    SCALEKIT[0],
    SCALEKIT[1],
];

/// Reads a setting of the deployment by its name.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The providers of a server that can start with them.
///
/// ```
/// use scopeward_policy::{
///     CompiledPolicy, diagnostic::Source, served::{Asked, ProviderFault, Reached, ServedProvider, ServedProviders},
/// };
///
/// let text = r#"
///     version = 1
///     [server]
///     url = "https://mcp.example.com/mcp"
///     provider = "keycloak"
/// "#;
/// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
///
/// // The policy alone does not say which realm, and a variable of the deployment may.
/// let faults: Vec<ProviderFault> = policy.served_providers(&|_| None).unwrap_err();
/// assert_eq!(faults[0].message(), "provider = \"keycloak\" needs its issuer");
/// assert_eq!(faults[0].missing_variable(), Some("ISSUER_URL"));
/// assert!(faults[0].help().contains("https://HOST/realms/REALM"));
///
/// let realm = |name: &str| (name == "ISSUER_URL").then(|| "https://sso.example.com/realms/a".to_owned());
/// let ServedProviders { main, also } = policy.served_providers(&realm).map_err(|_| "faults")?;
/// let main: ServedProvider = main.ok_or("no provider")?;
/// assert!(matches!(main.reached, Reached::ByIssuer { issuer } if issuer.ends_with("/realms/a")));
/// assert!(main.asked == Asked::Never && also.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ServedProviders<'p> {
    /// The provider where callers sign in; `None` for the embedded issuer.
    pub main: Option<ServedProvider<'p>>,
    /// Further providers whose tokens are accepted.
    pub also: Vec<ServedProvider<'p>>,
}

/// A provider with which a server can start.
#[derive(Debug)]
pub struct ServedProvider<'p> {
    /// The facts about it.
    pub preset: &'static Preset,
    /// Its settings in the policy.
    pub settings: &'p ProviderSettings,
    /// How it is reached.
    pub reached: Reached,
    /// How it is asked about tokens.
    pub asked: Asked,
}

/// How a provider is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// By its issuer, whose metadata has the rest.
    ByIssuer {
        /// The issuer, as tokens name it.
        issuer: String,
    },
    /// By Scalekit's variables.
    Scalekit {
        /// The URL of the environment, without a slash at its end.
        environment: String,
        /// The id of the MCP server at Scalekit.
        resource: String,
    },
}

impl Reached {
    /// The values of `iss` that the provider's tokens may have.
    ///
    /// ```
    /// use scopeward_policy::served::Reached;
    ///
    /// let reached = Reached::Scalekit {
    ///     environment: "https://a.scalekit.com".to_owned(),
    ///     resource: "res_1".to_owned(),
    /// };
    /// assert_eq!(reached.authorization_server(), "https://a.scalekit.com/resources/res_1");
    /// assert_eq!(reached.issuers(), ["https://a.scalekit.com", "https://a.scalekit.com/resources/res_1"]);
    /// ```
    pub fn issuers(&self) -> Vec<String> {
        let named = self.authorization_server();
        match self {
            Self::ByIssuer { .. } => vec![named],
            Self::Scalekit { environment, .. } => vec![environment.clone(), named],
        }
    }

    /// The authorization server that protected resource metadata names (RFC 9728, section 2).
    pub fn authorization_server(&self) -> String {
        match self {
            Self::ByIssuer { issuer } => issuer.clone(),
            Self::Scalekit { environment, resource } => {
                format!("{environment}/resources/{resource}")
            }
        }
    }
}

/// How a provider is asked about tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Never, because tokens are checked with its keys.
    Never,
    /// At a URL that describes a token to everyone who has it.
    TokenInfo {
        /// The URL.
        url: String,
    },
    /// By introspection (RFC 7662), as an OAuth client. Its secret stays in the deployment.
    Introspection {
        /// The URL, if the metadata does not say it.
        url: Option<String>,
        /// The id of the client.
        client: String,
    },
}

/// Something that is wrong with the providers of a policy, with what to do about it.
///
/// [`ServedProviders`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFault {
    message: String,
    help: String,
    missing: Option<Cow<'static, str>>,
}

impl ProviderFault {
    /// A fault that no variable repairs.
    ///
    /// ```
    /// use scopeward_policy::served::ProviderFault;
    ///
    /// let fault = ProviderFault::new("this program has no embedded issuer", "name a provider");
    /// assert_eq!(fault.to_string(), "this program has no embedded issuer\n  = help: name a provider");
    /// assert_eq!(fault.missing_variable(), None);
    /// ```
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), missing: None }
    }

    fn without(self, variable: impl Into<Cow<'static, str>>) -> Self {
        Self { missing: Some(variable.into()), ..self }
    }

    /// The fault in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The next step.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The variable that is not set and would repair the fault. A check without the deployment's
    /// environment cannot know whether it is set there.
    pub fn missing_variable(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

impl fmt::Display for ProviderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  = help: {}", self.message, self.help)
    }
}

impl std::error::Error for ProviderFault {}

impl CompiledPolicy {
    /// The providers of this policy in a deployment. `variable` reads a setting of the deployment.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, diagnostic::Source};
    ///
    /// let text = "version = 1\n[server]\nurl = \"https://mcp.example.com/mcp\"\n";
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// let faults = policy.served_providers(&|_| None).unwrap_err();
    /// assert!(faults[0].message().contains("serves loopback only"));
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Every reason why no server starts with them.
    pub fn served_providers(
        &self,
        variable: Variable<'_>,
    ) -> Result<ServedProviders<'_>, Vec<ProviderFault>> {
        let mut faults = vec![];
        let url = self.resource();
        if self.provider().is_embedded() && !url.is_loopback() {
            faults.push(ProviderFault::new(
                format!(
                    "the embedded issuer lets anyone sign in under any name, so it serves loopback \
                     only, and {url} is not loopback"
                ),
                "name a provider, or write a URL on localhost and set MCP_URL where the server runs",
            ));
        }
        let all: Vec<&ProviderSettings> =
            std::iter::once(self.provider_settings()).chain(self.also()).collect();
        let mut found = vec![];
        for (number, settings) in all.iter().enumerate() {
            let place = if number == 0 { Place::Main } else { Place::Also };
            let Some(preset) = settings.provider().preset() else { continue };
            let reached = match preset.setup {
                Setup::ByIssuer => by_issuer(preset, settings, place, variable, &mut faults),
                Setup::Scalekit => scalekit(preset, variable, &mut faults),
            };
            needs_client(preset, settings, &mut faults);
            let asked = asked(preset, settings, variable, &mut faults);
            found.push((preset, *settings, reached, asked));
        }
        idle_variables(&all, variable, &mut faults);
        ambiguous(
            &all,
            found.iter().filter_map(|(_, _, reached, _)| reached.as_ref()),
            &mut faults,
        );
        if !faults.is_empty() {
            return Err(faults);
        }
        let whole = found.into_iter().filter_map(|(preset, settings, reached, asked)| {
            Some(ServedProvider { preset, settings, reached: reached?, asked: asked? })
        });
        let mut whole: Vec<_> = whole.collect();
        let has_main = !self.provider().is_embedded() && !whole.is_empty();
        let main = has_main.then(|| whole.remove(0));
        Ok(ServedProviders { main, also: whole })
    }
}

impl CompiledPolicy {
    /// The clients of the embedded issuer whose secret is not set in this deployment, so that nobody can
    /// be them. `variable` reads a setting of the deployment.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, diagnostic::Source};
    ///
    /// let text = r#"
    ///     version = 1
    ///     [server]
    ///     url = "http://localhost:3002/mcp"
    ///     [[client]]
    ///     id = "nightly"
    ///     secret_env = "NIGHTLY_SECRET"
    ///     redirect_uris = ["https://nightly.example/back"]
    /// "#;
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// let unset = policy.unset_secrets(&|_| None);
    /// assert_eq!(unset[0].missing_variable(), Some("NIGHTLY_SECRET"));
    /// let in_a_file = |name: &str| (name == "NIGHTLY_SECRET_FILE").then(|| "secret".to_owned());
    /// assert!(policy.unset_secrets(&in_a_file).is_empty());
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn unset_secrets(&self, variable: Variable<'_>) -> Vec<ProviderFault> {
        let named =
            self.clients().iter().filter_map(|client| Some((client, client.secret_variable()?)));
        let unset = named.filter(|(_, name)| {
            variable(name).is_none() && variable(&format!("{name}_FILE")).is_none()
        });
        let fault = |(client, name): (&KnownClient, &str)| {
            let message =
                format!("{name} is not set, so nobody can be the client `{}`", client.id());
            let help = format!("set {name}, or {name}_FILE to the file that holds the secret");
            ProviderFault::new(message, help).without(name.to_owned())
        };
        unset.map(fault).collect()
    }
}

/// Where the policy names a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Main,
    Also,
}

fn by_issuer(
    preset: &'static Preset,
    settings: &ProviderSettings,
    place: Place,
    variable: Variable<'_>,
    faults: &mut Vec<ProviderFault>,
) -> Option<Reached> {
    if place == Place::Main
        && let Some(issuer) = variable(ISSUER_URL)
    {
        return address(ISSUER_URL, &issuer, faults).map(|()| Reached::ByIssuer { issuer });
    }
    let written = settings.issuer().or(preset.fixed_issuer);
    if let Some(issuer) = written {
        let issuer = issuer.to_owned();
        return address("`issuer`", &issuer, faults).map(|()| Reached::ByIssuer { issuer });
    }
    let message = format!("provider = \"{}\" needs its issuer", preset.word);
    let write = format!("write `issuer = \"…\"` beside it: {}", preset.issuer);
    faults.push(match place {
        Place::Main => {
            let help = format!("{write}; or set {ISSUER_URL} where the server runs");
            ProviderFault::new(message, help).without(ISSUER_URL)
        }
        Place::Also => ProviderFault::new(message, write),
    });
    None
}

/// Finds a provider whose tokens are for a client that the policy does not name.
fn needs_client(
    preset: &'static Preset,
    settings: &ProviderSettings,
    faults: &mut Vec<ProviderFault>,
) {
    // The id of a client must be written, because it cannot be derived from a URL.
    let is_for_client = preset.audience == AudienceIn::ClientId || preset.tokens != Tokens::Jwt;
    if is_for_client && settings.audiences().is_empty() {
        faults.push(ProviderFault::new(
            format!(
                "provider = \"{}\" needs the id of the OAuth client that its tokens are for",
                preset.word
            ),
            "write it as `audience = \"…\"` beside it",
        ));
    }
}

fn scalekit(
    preset: &'static Preset,
    variable: Variable<'_>,
    faults: &mut Vec<ProviderFault>,
) -> Option<Reached> {
    let help = "set it in the environment or in .env; Scalekit's dashboard shows it";
    let mut setting = |name: &'static str| {
        let value = variable(name);
        if value.is_none() {
            let message = format!("provider = \"{}\" needs {name}", preset.word);
            faults.push(ProviderFault::new(message, help).without(name));
        }
        value
    };
    let [environment, resource] = SCALEKIT.map(&mut setting);
    let environment = environment?.trim_end_matches('/').to_owned();
    address(SCALEKIT[0], &environment, faults)?;
    Some(Reached::Scalekit { environment, resource: resource? })
}

/// How the provider is asked about its tokens; `None` after a fault.
fn asked(
    preset: &'static Preset,
    settings: &ProviderSettings,
    variable: Variable<'_>,
    faults: &mut Vec<ProviderFault>,
) -> Option<Asked> {
    if !is_asked(settings) {
        return Some(Asked::Never);
    }
    let url = variable(INTROSPECTION_URL);
    if let Some(url) = &url {
        address(INTROSPECTION_URL, url, faults)?;
    }
    if let Tokens::TokenInfo(fixed) = preset.tokens {
        return Some(Asked::TokenInfo { url: url.unwrap_or_else(|| fixed.to_owned()) });
    }
    let help = "with `opaque = true` the server asks the provider about each token, as an OAuth \
                client: set it in the environment or in .env";
    let mut is_whole = true;
    for name in INTROSPECTION_CLIENT {
        if setting_or_file(name, variable).is_none() {
            let message = format!("provider = \"{}\" needs {name}", preset.word);
            faults.push(ProviderFault::new(message, help).without(name));
            is_whole = false;
        }
    }
    let client = variable(INTROSPECTION_CLIENT[0]).filter(|_| is_whole)?;
    Some(Asked::Introspection { url, client })
}

/// Whether the provider is asked about each token.
fn is_asked(settings: &ProviderSettings) -> bool {
    let preset = settings.provider().preset();
    preset.is_some_and(|preset| settings.is_opaque() || preset.tokens != Tokens::Jwt)
}

/// Whether a variable is set, and which: a secret can be in a file instead.
fn setting_or_file(name: &str, variable: Variable<'_>) -> Option<String> {
    let in_a_file = format!("{name}_FILE");
    let has_file = name.ends_with("_SECRET") && variable(&in_a_file).is_some();
    if variable(name).is_some() {
        return Some(name.to_owned());
    }
    has_file.then_some(in_a_file)
}

/// Variables that are set, and that no provider of the policy reads: their author counts on an effect.
fn idle_variables(
    all: &[&ProviderSettings],
    variable: Variable<'_>,
    faults: &mut Vec<ProviderFault>,
) {
    let main = all.first().map(|settings| settings.provider());
    let reads_issuer = main.and_then(Provider::preset);
    let reads_issuer = reads_issuer.is_some_and(|preset| preset.setup == Setup::ByIssuer);
    let is_some_asked = all.iter().any(|settings| is_asked(settings));
    let is_introspected = |settings: &&ProviderSettings| {
        let preset = settings.provider().preset();
        settings.is_opaque() && preset.is_some_and(|preset| preset.tokens == Tokens::Jwt)
    };
    let is_some_client = all.iter().any(is_introspected);
    let word = main.map_or("", |main| main.as_str());
    let [id, secret] = INTROSPECTION_CLIENT;
    for (name, is_read, without) in [
        (ISSUER_URL, reads_issuer, format!("with provider = \"{word}\"")),
        (INTROSPECTION_URL, is_some_asked, "without a provider with `opaque = true`".to_owned()),
        (id, is_some_client, "without a provider with `opaque = true`".to_owned()),
        (secret, is_some_client, "without a provider with `opaque = true`".to_owned()),
    ] {
        let Some(set) = setting_or_file(name, variable).filter(|_| !is_read) else { continue };
        let help = if name == ISSUER_URL {
            "remove it; or write in `[server]` the provider whose issuer it is, such as \
             `provider = \"oidc\"`"
        } else {
            "remove it; or write `opaque = true` beside the provider that is to be asked"
        };
        faults.push(ProviderFault::new(format!("{set} is set, and has no effect {without}"), help));
    }
}

/// Two providers, between which a token does not say whose it is.
fn ambiguous<'r>(
    all: &[&ProviderSettings],
    reached: impl Iterator<Item = &'r Reached>,
    faults: &mut Vec<ProviderFault>,
) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for issuer in reached.flat_map(Reached::issuers) {
        let count = seen.entry(issuer.clone()).or_default();
        *count += 1;
        if *count == 2 {
            faults.push(ProviderFault::new(
                format!("two providers have the issuer {issuer}"),
                "remove one of them, because it would be a guess whose rules apply to a token; for \
                 several audiences of one issuer, write `audience` as a list",
            ));
        }
    }
    if all.iter().filter(|settings| is_asked(settings)).count() > 1 {
        faults.push(ProviderFault::new(
            "two providers have opaque tokens",
            "remove one of them, because a token would have to be shown to both to find out whose \
             it is",
        ));
    }
}

/// Checks an address that the server would ask. `what` names the setting that it comes from.
fn address(what: &str, url: &str, faults: &mut Vec<ProviderFault>) -> Option<()> {
    if may_be_asked(url).is_some() {
        return Some(());
    }
    let message = format!("{what}: {url} is not an https URL (http is for loopback only)");
    faults.push(ProviderFault::new(message, "write an https URL"));
    None
}
