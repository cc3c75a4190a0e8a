//! Request parameters of OAuth endpoints, each of which may be given once (RFC 6749, section 3.1).

use std::collections::HashMap;

/// The parameters of a query or a form body.
#[derive(Debug)]
pub(super) struct Parameters(HashMap<String, Vec<String>>);

/// The error of a parameter that is given more than once, with its name.
#[derive(Debug)]
pub(super) struct Repeated(pub(super) &'static str);

impl Parameters {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        let mut all: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(encoded) {
            all.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Self(all)
    }

    /// The one value of a parameter. An empty value counts as absent (RFC 6749, section 3.1).
    pub(super) fn one(&self, name: &'static str) -> Result<Option<&str>, Repeated> {
        match self.0.get(name).map(Vec::as_slice) {
            None => Ok(None),
            Some([value]) => Ok(Some(value.as_str()).filter(|value| !value.is_empty())),
            Some(_) => Err(Repeated(name)),
        }
    }

    /// Every value of a parameter that may repeat, such as `resource` (RFC 8707, section 2).
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}
