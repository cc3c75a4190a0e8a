//! The snapshot of the registered scopes: a committed file with the authorization server's answer, so
//! that the lint works without a network.

use std::time::SystemTime;

use jiff::Timestamp;
use toml::de::DeTable;
use toml_edit::{Array, DocumentMut, value};

use crate::{
    diagnostic::{Diagnostic, Diagnostics, Source},
    mistake, {SNAPSHOT, Scope, TableReader},
};

/// The scopes that an issuer has registered for a server, and when it was asked for them.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use scopeward_policy::{Scope, Snapshot};
///
/// let (resource, issuer) = ("https://mcp.example.com/mcp", "https://login.example.com");
/// let scopes = vec![Scope::parse("note:read")?];
/// let pulled = SystemTime::now();
/// let snapshot = Snapshot::new(resource, issuer, pulled, scopes)
///     .said_by("oidc", "https://login.example.com/.well-known/openid-configuration");
/// assert!(snapshot.to_toml().contains("note:read") && snapshot.describe().contains(issuer));
/// assert_eq!(snapshot.age_in_days(pulled + Duration::from_hours(49)), 2);
/// # Ok::<(), scopeward_policy::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// `None` until the snapshot is in a file.
    path: Option<String>,
    resource: String,
    issuer: String,
    provider: Option<String>,
    source: Option<String>,
    pulled_at: Timestamp,
    scopes: Vec<Scope>,
}

impl Snapshot {
    /// The name of the snapshot's file, beside `policy.toml`.
    pub const FILE: &str = "registered-scopes.toml";

    /// Makes the snapshot of an issuer's answer about a server, by the server's URL.
    pub fn new(resource: &str, issuer: &str, pulled_at: SystemTime, scopes: Vec<Scope>) -> Self {
        let (resource, issuer) = (resource.to_owned(), issuer.to_owned());
        let pulled_at = timestamp(pulled_at);
        Self { path: None, resource, issuer, provider: None, source: None, pulled_at, scopes }
    }

    /// The same snapshot with the provider's word in the policy, and the URL that was asked.
    #[must_use]
    pub fn said_by(mut self, provider: &str, source: &str) -> Self {
        (self.provider, self.source) = (Some(provider.to_owned()), Some(source.to_owned()));
        self
    }

    /// Reads a snapshot from the text of its file.
    ///
    /// ```
    /// use scopeward_policy::{Snapshot, diagnostic::Source};
    ///
    /// let text = "version = 1\nresource = \"http://localhost/mcp\"\nissuer = \"http://localhost\"\n\
    ///             pulled_at = \"2026-01-31T12:00:00Z\"\nscopes = [\"a:read\"]\n";
    /// let snapshot = Snapshot::parse(&Source::new(Snapshot::FILE, text))?;
    /// assert!(snapshot.scopes().eq(["a:read"]));
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let mut errors = vec![];
        match Self::read(source, &mut errors) {
            Some(snapshot) if errors.is_empty() => Ok(snapshot),
            _ => Err(Diagnostics::new(source.clone(), errors)),
        }
    }

    fn read(source: &Source, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        let end = source.text().len()..source.text().len();
        let (document, syntax) = DeTable::parse_recoverable(source.text());
        errors.extend(syntax.iter().map(|error| {
            let message = format!("invalid TOML: {}", error.message());
            Diagnostic::new(mistake::INVALID_TOML, error.span().unwrap_or(end.clone()), message)
                .help("run `resource pull` again")
        }));
        let reader = TableReader::new(document.get_ref(), &SNAPSHOT, &"the snapshot");
        let required = |key: &str, errors: &mut Vec<Diagnostic>| {
            if reader.key_span(key).is_none() && syntax.is_empty() {
                let message = format!("the snapshot has no `{key}`");
                errors.push(
                    Diagnostic::new(mistake::MISSING_KEY, end.clone(), message)
                        .help("run `resource pull` again"),
                );
            }
        };
        let text = |key: &str, errors: &mut Vec<Diagnostic>| {
            required(key, errors);
            reader.text(key, "run `resource pull` again", errors)
        };
        let (resource, issuer) = (text("resource", errors), text("issuer", errors));
        let mut said = |key| reader.text(key, "run `resource pull` again", errors);
        let (provider, source_of_it) = (said("provider"), said("source"));
        let pulled_at = text("pulled_at", errors).and_then(|at| {
            let time = at.value.parse::<Timestamp>();
            time.map_err(|_| {
                let message = "`pulled_at` must be a time such as \"2026-01-31T12:00:00Z\"";
                errors.push(Diagnostic::new(mistake::WRONG_TYPE, at.span, message));
            })
            .ok()
        });
        required("scopes", errors);
        let mut scopes = vec![];
        for text in reader.strings("scopes", errors).map(|list| list.value).unwrap_or_default() {
            match Scope::parse(&text.value) {
                Ok(scope) => scopes.push(scope),
                Err(error) => errors.push(Diagnostic::new(
                    mistake::INVALID_SCOPE,
                    text.span,
                    error.to_string(),
                )),
            }
        }
        reader.finish(errors);
        Some(Self {
            path: Some(source.path().to_owned()),
            resource: resource?.value,
            issuer: issuer?.value,
            provider: provider.map(|provider| provider.value),
            source: source_of_it.map(|source| source.value),
            pulled_at: pulled_at?,
            scopes,
        })
    }

    /// The text of the snapshot's file.
    pub fn to_toml(&self) -> String {
        let mut document = DocumentMut::new();
        let mut scopes: Array = self.scopes.iter().map(Scope::as_str).collect();
        for scope in scopes.iter_mut() {
            scope.decor_mut().set_prefix("\n    ");
        }
        scopes.set_trailing_comma(true);
        scopes.set_trailing("\n");
        document["version"] = value(1);
        document["resource"] = value(&self.resource);
        document["issuer"] = value(&self.issuer);
        for (key, said) in [("provider", &self.provider), ("source", &self.source)] {
            if let Some(said) = said {
                document[key] = value(said);
            }
        }
        document["pulled_at"] = value(self.pulled_at.to_string());
        document["scopes"] = value(scopes);
        format!(
            "# The scopes that the authorization server has registered. Written by `resource pull`;\n\
             # commit it, and `policy lint` needs no network.\n{document}"
        )
    }

    /// The registered scopes.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(Scope::as_str)
    }

    /// One sentence for a person: where the snapshot is from, and when.
    pub fn describe(&self) -> String {
        let Self { path, issuer, source, pulled_at, .. } = self;
        if let Some(path) = path {
            return format!("{path} says what {issuer} had registered at {pulled_at}");
        }
        let source = source.as_ref().unwrap_or(issuer);
        format!("{source} says what is registered now, at {pulled_at}")
    }

    /// The age of the snapshot in whole days.
    pub fn age_in_days(&self, now: SystemTime) -> i64 {
        timestamp(now).duration_since(self.pulled_at).as_hours() / 24
    }
}

/// A time of the system's clock; the start of 1970 for one that no calendar has.
fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_snapshot_is_read_back_unchanged() {
        let scopes = ["todo:read", "a'b#c"].map(|scope| Scope::parse(scope).unwrap()).to_vec();
        let at = |text: &str| SystemTime::try_from(text.parse::<Timestamp>().unwrap()).unwrap();
        let written = Snapshot::new(
            "http://localhost/mcp",
            "http://localhost",
            at("2026-01-31T12:00:00Z"),
            scopes,
        )
        .said_by("oauth", "http://localhost/.well-known/oauth-authorization-server");
        let source = Source::new(Snapshot::FILE, written.to_toml());
        let read = Snapshot::parse(&source).unwrap();
        assert_eq!(read, Snapshot { path: Some(Snapshot::FILE.to_owned()), ..written.clone() });
        assert_eq!(written.age_in_days(at("2026-02-02T11:00:00Z")), 1);
        insta::assert_snapshot!(source.text());
    }

    #[test]
    fn each_mistake_in_a_snapshot_is_reported() {
        let wrong = |text: &str| {
            Snapshot::parse(&Source::new(Snapshot::FILE, text)).unwrap_err().to_string()
        };
        assert!(wrong("").contains("no `resource`"));
        assert!(wrong("scopes = [\"a b\"]").contains("1:11: error: ' ' cannot be part"));
        assert!(wrong("pulled_at = \"yesterday\"").contains("must be a time"));
        assert!(wrong("[").contains("invalid TOML"));
        assert!(wrong("scpoes = 1").contains("no key `scpoes`"));
    }
}
