//! Warns about a scope that a tool asks for and that can hardly be meant: a slip of the pen.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use parking_lot::Mutex;

use crate::policy::{CompiledPolicy, Declaration};

/// At most this many warnings are remembered, and so given: a program has fewer slips than that.
const MAX_WARNINGS: usize = 256;

/// The hashes of the warnings that were given.
static GIVEN: LazyLock<(RandomState, Mutex<HashSet<u64>>)> = LazyLock::new(Default::default);

/// Warns about `scope`, once, if the policy does not define it or the declaration that asks for it
/// does not name it.
pub(super) fn warn_once(policy: &CompiledPolicy, used: Option<&'static Declaration>, scope: &str) {
    let is_defined = policy.scope_named(scope).is_some();
    let undeclared = used.filter(|declared| !declared.names_scope(scope));
    if is_defined && undeclared.is_none() {
        return;
    }
    let place = undeclared.map(|declared| (declared.feature(), declared.name()));
    let (hasher, given) = &*GIVEN;
    let warning = hasher.hash_one((is_defined, place, scope));
    {
        let mut given = given.lock();
        if given.len() >= MAX_WARNINGS || !given.insert(warning) {
            return;
        }
    }
    if let Some(declared) = undeclared {
        tracing::warn!(
            "{} `{}` asks for the scope `{scope:.64}`, which it does not declare; add it to \
             `optional` at {}, or correct it",
            declared.feature(),
            declared.name(),
            declared.location(),
        );
    } else {
        tracing::warn!(
            "the program asks for the scope `{scope:.64}`, which `[scopes]` does not define, so \
             nobody holds it; define it in the policy, or correct it in the program"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use super::*;
    use crate::policy::{Feature, Location, diagnostic::Source};

    static SHARE: Declaration = Declaration::new(
        Feature::Tool,
        "share",
        &["note:read"],
        &[],
        Location::new("src/notes.rs", 7, 5),
    );

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slip_is_told_once_and_names_the_place() {
        let text = "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n\
                    \"note:read\" = \"Read\"\n\"note:write\" = \"Write\"\n";
        let policy = CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap();
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..3 {
                warn_once(&policy, None, "note:raed");
                warn_once(&policy, None, "note:read");
                warn_once(&policy, Some(&SHARE), "note:write");
                warn_once(&policy, Some(&SHARE), "note:read");
            }
        });
        let said = String::from_utf8(log.0.lock().clone()).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].contains("`note:raed`, which `[scopes]` does not define"), "{said}");
        assert!(lines[1].contains("`share` asks for the scope `note:write`"), "{said}");
        assert!(lines[1].contains("src/notes.rs:7:5"), "{said}");
    }
}
