//! The issuer that a provider's metadata names, where it has an address of its own.
//!
//! A production environment of Scalekit has a domain of its own, and answers at its first address as
//! well. Its tokens name one of the two, whichever address the operator has written, so that only the
//! metadata says which (Scalekit, "Launch checklist").

use std::sync::{Arc, OnceLock};

use url::Url;

use crate::remote::checked;

/// An issuer that is known once the metadata was read. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LearnedIssuer(Option<Arc<Cell>>);

#[derive(Debug)]
struct Cell {
    /// The path of the issuer at either address.
    path: String,
    /// The issuer, and the address that it begins with; empty if the metadata names the address that
    /// is known already.
    found: OnceLock<Vec<Arc<str>>>,
}

impl LearnedIssuer {
    /// An issuer with this path, at an address that the metadata may name.
    pub(crate) fn at(path: String) -> Self {
        Self(Some(Arc::new(Cell { path, found: OnceLock::new() })))
    }

    /// Whether the metadata may still name another issuer than those that are known.
    pub(crate) fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(|cell| cell.found.get().is_none())
    }

    /// Takes the issuer that the metadata names, of which `known` are known already. Returns whether
    /// it is the provider's: one that is known, or one with the same path at another https address.
    /// Once one was taken, no other one is.
    pub(crate) fn take(&self, issuer: &str, known: &[String]) -> bool {
        let Some(cell) = &self.0 else { return known.iter().any(|known| known == issuer) };
        let found = if known.iter().any(|known| known == issuer) {
            vec![]
        } else {
            let address = issuer.strip_suffix(&*cell.path).unwrap_or(issuer);
            let is_address = |url: &Url| url.origin().ascii_serialization() == address;
            if !checked(issuer).is_ok_and(|url| is_address(&url)) {
                return false;
            }
            vec![Arc::from(format!("{address}{}", cell.path)), Arc::from(address)]
        };
        let taken = cell.found.get_or_init(|| found.clone());
        found.is_empty() || *taken == found
    }

    /// The issuer that the metadata names, and the address that it begins with, if they are others
    /// than those that are known.
    pub(crate) fn names(&self) -> &[Arc<str>] {
        let found = self.0.as_ref().and_then(|cell| cell.found.get());
        found.map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_taken_once_and_with_its_path_only() {
        let known =
            ["https://a.example".to_owned(), "https://a.example/resources/res_1".to_owned()];
        let learned = || LearnedIssuer::at("/resources/res_1".to_owned());
        for wrong in [
            "https://b.example/resources/res_2",
            "https://b.example/resources/res_1/",
            "https://b.example/x/resources/res_1",
            "http://b.example/resources/res_1",
            "https://b.example?/resources/res_1",
            "https://u@b.example/resources/res_1",
            "/resources/res_1",
            "",
        ] {
            let learned = learned();
            assert!(!learned.take(wrong, &known), "{wrong}");
            assert!(learned.is_open() && learned.names().is_empty(), "{wrong}");
        }
        let own = learned();
        assert!(own.take("https://b.example/resources/res_1", &known));
        let names: Vec<&str> = own.names().iter().map(|name| &**name).collect();
        assert_eq!(names, ["https://b.example/resources/res_1", "https://b.example"]);
        assert!(!own.take("https://c.example/resources/res_1", &known), "it stays");
        let same = learned();
        assert!(same.take(&known[1], &known) && !same.is_open() && same.names().is_empty());
        assert!(!LearnedIssuer::default().take("https://b.example", &known));
    }
}
