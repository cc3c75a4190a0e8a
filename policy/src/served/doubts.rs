//! The known preconditions of each preset: settings with which a server starts, and nobody can sign in.

use super::{ISSUER_URL, ProviderFault, Variable};
use crate::{CompiledPolicy, Provider, ProviderSettings};

impl CompiledPolicy {
    /// The settings that do not fit what is known of the providers, so that a server starts and nobody
    /// can sign in. `variable` reads a setting of the deployment.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, diagnostic::Source};
    ///
    /// let text = "version = 1\n[server]\nurl = \"https://mcp.example.com/mcp\"\nprovider = \"auth0\"\n";
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// let issuer = |name: &str| (name == "ISSUER_URL").then(|| "https://a.auth0.com".to_owned());
    /// let doubts = policy.provider_doubts(&issuer);
    /// assert!(doubts[0].help().contains("with the slash at its end"));
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn provider_doubts(&self, variable: Variable<'_>) -> Vec<ProviderFault> {
        let mut doubts = vec![];
        let url = self.resource().as_str();
        let main = self.provider_settings();
        let issuer = variable(ISSUER_URL);
        let issuer = issuer.as_deref().or(main.issuer());
        let scopes: Vec<&str> = self.scopes().iter().map(|scope| scope.name().as_str()).collect();
        let server = Doubted { url, scopes: &scopes };
        server.about(main, issuer.unwrap_or_default(), &mut doubts);
        for settings in self.also() {
            server.about(settings, settings.issuer().unwrap_or_default(), &mut doubts);
        }
        doubts
    }
}

/// The facts that a provider's settings are compared with: the URL of the server, and the scopes of its policy.
struct Doubted<'p> {
    url: &'p str,
    scopes: &'p [&'p str],
}

impl Doubted<'_> {
    /// The doubts about one provider.
    fn about(&self, settings: &ProviderSettings, issuer: &str, doubts: &mut Vec<ProviderFault>) {
        let provider = settings.provider();
        // A provider on this machine is a stand-in.
        let is_https = issuer.starts_with("https://");
        match provider.as_str() {
            "entra" => entra_prefix(settings, self.url, doubts),
            "cognito" => cognito_prefix(settings, self.scopes, doubts),
            "google" => google(settings, self.scopes, doubts),
            _ => {}
        }
        if is_https {
            doubts.extend(doubt_about_issuer(provider, issuer));
        }
    }
}

/// The doubt about an issuer, by the forms that the provider's issuers have.
fn doubt_about_issuer(provider: Provider, issuer: &str) -> Option<ProviderFault> {
    let has_slash = issuer.ends_with('/');
    let has_form = match provider.as_str() {
        "entra" if issuer.contains("/common/") || issuer.contains("/organizations/") => {
            return Some(ProviderFault::new(
                format!("{issuer} is no issuer of tokens: they name the tenant"),
                "write the tenant's id in its place",
            ));
        }
        "okta" if !has_slash && !issuer.contains("/oauth2/") => {
            return Some(ProviderFault::new(
                format!(
                    "{issuer} is Okta's org authorization server, which has no scopes of one's own: it \
                     refuses the sign-in (invalid_scope: Custom scopes are not allowed for this request)"
                ),
                "name a custom authorization server, such as https://DOMAIN/oauth2/default",
            ));
        }
        "entra" => issuer.ends_with("/v2.0") || issuer.starts_with("https://sts.windows.net/"),
        "auth0" => has_slash,
        "keycloak" => !has_slash && issuer.contains("/realms/"),
        "descope" => !has_slash && issuer.contains("/v1/apps/"),
        "cognito" => !has_slash && issuer.starts_with("https://cognito-idp."),
        "okta" | "workos" => !has_slash,
        "google" => provider.preset().is_some_and(|preset| preset.fixed_issuer == Some(issuer)),
        _ => true,
    };
    (!has_form).then(|| wrong_form(provider, issuer))
}

/// Cognito's scopes are named by their resource server, so no token has a scope without its identifier.
fn cognito_prefix(settings: &ProviderSettings, scopes: &[&str], doubts: &mut Vec<ProviderFault>) {
    let message = match settings.scope_prefix() {
        Some(prefix) if prefix.ends_with('/') => return,
        Some(prefix) => format!("`scope_prefix` is {prefix}, and Cognito writes a slash after it"),
        None => {
            let Some(scope) = scopes.iter().find(|scope| !scope.contains('/')) else { return };
            format!(
                "Cognito's scopes begin with the identifier of their resource server, so no token has \
                 {scope}"
            )
        }
    };
    let help = "write `scope_prefix = \"IDENTIFIER/\"`, with the identifier of the resource server at \
                Cognito";
    doubts.push(ProviderFault::new(message, help));
}

/// Google has its own scopes alone, and its clients have ids of one form.
fn google(settings: &ProviderSettings, scopes: &[&str], doubts: &mut Vec<ProviderFault>) {
    const CLIENT: &str = ".apps.googleusercontent.com";
    let prefix = settings.scope_prefix().unwrap_or_default();
    let is_googles = |scope: &&&str| format!("{prefix}{scope}").starts_with("https://");
    if let Some(scope) = scopes.iter().find(|scope| !is_googles(scope)) {
        doubts.push(ProviderFault::new(
            format!(
                "Google grants its own scopes alone, and refuses a sign-in that asks for {scope} (Error \
                 400: invalid_scope)"
            ),
            "use scopes of Google, which begin with https://, or rules with `authenticated = true`; \
             scopes of your own need a provider that has them",
        ));
    }
    if let Some(other) = settings.audiences().iter().find(|one| !one.ends_with(CLIENT)) {
        doubts.push(ProviderFault::new(
            format!("`audience` is {other}, and the ids of Google's clients end in {CLIENT}"),
            "copy the client's id from Google's console",
        ));
    }
}

/// Entra signs nobody in unless the scopes that clients ask for begin with the resource that they name.
fn entra_prefix(settings: &ProviderSettings, url: &str, doubts: &mut Vec<ProviderFault>) {
    let needed = format!("{url}/");
    let message = match settings.scope_prefix() {
        None => "Entra's scopes have a prefix, and without `scope_prefix` it refuses the sign-in \
                 (AADSTS9010010)"
            .to_owned(),
        Some(prefix) if prefix != needed => format!(
            "`scope_prefix` is {prefix}, and clients name {url} as the resource: Entra refuses the \
             sign-in (AADSTS9010010)"
        ),
        Some(_) => return,
    };
    let help = format!(
        "make {url} the Application ID URI of the API at Entra, and write `scope_prefix = \
         \"{needed}\"`"
    );
    doubts.push(ProviderFault::new(message, help));
}

/// The doubt about an issuer that has not the form of its provider's issuers.
fn wrong_form(provider: Provider, issuer: &str) -> ProviderFault {
    let preset = provider.preset();
    let (title, form) = preset.map_or(("", ""), |preset| (preset.title, preset.issuer));
    ProviderFault::new(
        format!("{issuer} has not the form of an issuer of {title}"),
        format!("it is compared byte by byte, and has the form {form}"),
    )
}
