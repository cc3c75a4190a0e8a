//! The challenge of RFC 6750, as the value of a `WWW-Authenticate` header.

/// Writes `Bearer error="…", error_description="…", scope="…", resource_metadata="…"`, without the
/// parts that are not there. `error` is the error's code and its description.
///
/// INVARIANT: no value holds `"`, `\` or a control character: scopes and errors by their grammar,
/// URLs by their serialization, descriptions because they are written in this crate around scopes.
/// A backtick is written as an apostrophe, because RFC 6750 (section 3) has none in a description.
pub(crate) fn bearer_challenge(
    error: Option<(&str, &str)>,
    scope: &str,
    metadata: Option<&str>,
) -> String {
    let mut parameters = vec![];
    if let Some((code, description)) = error {
        parameters.push(format!("error=\"{code}\""));
        parameters.push(format!("error_description=\"{}\"", description.replace('`', "'")));
    }
    if !scope.is_empty() {
        parameters.push(format!("scope=\"{scope}\""));
    }
    if let Some(metadata) = metadata {
        parameters.push(format!("resource_metadata=\"{metadata}\""));
    }
    format!("Bearer {}", parameters.join(", "))
}
