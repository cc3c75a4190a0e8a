//! The deployment that a policy is linted for, as far as it is known.

use std::fmt;

use crate::{CompiledPolicy, ResourceUrl, served::ProviderFault};

/// The deployment that a policy is linted for. A server there has the URL and the variables that the
/// lint judges.
///
/// ```
/// use scopeward_policy::{
///     Registry, ResourceUrl,
///     diagnostic::Source,
///     lint::{self, Deployed, LintInputs, Stage},
/// };
///
/// let source = Source::new("policy.toml", "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n");
/// let registry = Registry::new(&[]);
/// let now = std::time::SystemTime::now();
/// let inputs = LintInputs { registry: &registry, snapshot: None, now };
/// let found = |deployed: &Deployed<'_>| {
///     lint::examine_for(&source, &inputs, Stage::Advice, deployed).found
/// };
/// assert!(found(&Deployed::default()).is_empty());
///
/// // The embedded issuer of this policy does not serve other machines.
/// let public = ResourceUrl::parse("https://mcp.example.com/mcp")?;
/// let found = found(&Deployed::default().at(&public));
/// assert!(found.render(false).contains("https://mcp.example.com/mcp is not loopback"));
///
/// // A lint where the server runs knows its variables, and what its program refuses.
/// let nobody_reads = |name: &str| (name == "ISSUER_URL").then(|| "https://a.example".to_owned());
/// let here = Deployed::default().with_variables(&nobody_reads).here(true);
/// let examine = |deployed: &Deployed<'_>| {
///     lint::examine_for(&source, &inputs, Stage::Advice, deployed).found
/// };
/// assert!(examine(&here).render(false).contains("ISSUER_URL"));
/// assert!(examine(&here.refused_by_program(&[])).is_empty());
/// # Ok::<(), scopeward_policy::ResourceUrlError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Deployed<'a> {
    url: Option<&'a ResourceUrl>,
    variable: &'a dyn Fn(&str) -> Option<String>,
    refusals: Option<&'a [ProviderFault]>,
    has_all_variables: bool,
}

impl Default for Deployed<'_> {
    /// A deployment of which nothing is known but the policy.
    fn default() -> Self {
        Self { url: None, variable: &|_| None, refusals: None, has_all_variables: false }
    }
}

impl<'a> Deployed<'a> {
    /// The URL at which the server would serve.
    #[must_use]
    pub fn at(self, url: &'a ResourceUrl) -> Self {
        Self { url: Some(url), ..self }
    }

    /// The variables of the deployment.
    #[must_use]
    pub fn with_variables(self, variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, ..self }
    }

    /// Whether a variable that is not set here is not set where the server runs either, because the
    /// lint runs there.
    #[must_use]
    pub fn here(self, is_here: bool) -> Self {
        Self { has_all_variables: is_here, ..self }
    }

    /// The faults that this program finds in its providers, in place of those that a server of the library finds.
    #[must_use]
    pub fn refused_by_program(self, refusals: &'a [ProviderFault]) -> Self {
        Self { refusals: Some(refusals), ..self }
    }

    pub(super) fn url(&self) -> Option<&'a ResourceUrl> {
        self.url
    }

    pub(super) fn variable(&self) -> &'a dyn Fn(&str) -> Option<String> {
        self.variable
    }

    pub(super) fn is_here(&self) -> bool {
        self.has_all_variables
    }

    /// Why no server starts with the providers of this policy here.
    pub(super) fn faults(&self, policy: &CompiledPolicy) -> Vec<ProviderFault> {
        match self.refusals {
            Some(refusals) => refusals.to_vec(),
            None => policy.served_providers(self.variable).err().unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Deployed<'_> {
    /// Shows no variables, because settings can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployed").field("url", &self.url).finish_non_exhaustive()
    }
}
