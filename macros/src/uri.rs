//! URIs and URI templates of resources, for error messages at the right span.
//!
//! The rule that counts is `scopeward::policy::UriTemplate`, which is applied again when the server
//! starts.

use matchit::Router;

/// The mistake in a URI template, in one sentence; `None` if there is none.
pub(crate) fn mistake(text: &str) -> Option<String> {
    route(text).err()
}

/// Whether one URI could match both templates.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (route(one), route(other)) else { return false };
    let mut router = Router::new();
    router.insert(one, ()).is_ok() && router.insert(other, ()).is_err()
}

/// The template in the syntax of the router, or its mistake.
fn route(text: &str) -> Result<String, String> {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !is_scheme {
        return Err("a resource has an absolute URI, with a scheme: `todo://items`".to_owned());
    }
    let mut route = String::new();
    let mut names = vec![];
    let mut rest = text;
    let braces = || "`{` and `}` stand around the name of a variable: `{id}`".to_owned();
    while let Some((before, after)) = rest.split_once('{') {
        route.push_str(literal(before)?);
        let (expression, after) = after.split_once('}').ok_or_else(braces)?;
        rest = after;
        let name = expression.strip_prefix('+').unwrap_or(expression);
        if name.is_empty() {
            return Err(braces());
        }
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_rest = name.len() < expression.len();
        if !is_name || (is_rest && !rest.is_empty()) {
            return Err(format!(
                "`{{{expression}}}` cannot be matched: use `{{name}}` for one segment, or `{{+name}}` at the end"
            ));
        }
        if names.contains(&name) {
            return Err(format!("the variable `{name}` stands twice"));
        }
        names.push(name);
        route.push_str(&if is_rest { format!("{{*{name}}}") } else { format!("{{{name}}}") });
    }
    route.push_str(literal(rest)?);
    let ambiguous = |_| "this template cannot be matched: a segment has at most one variable";
    Router::new().insert(&route, ()).map_err(ambiguous)?;
    Ok(route)
}

/// The text outside the variables, or its mistake.
fn literal(text: &str) -> Result<&str, String> {
    let forbidden = |c: &char| !c.is_ascii_graphic() || "\"<>\\^`|{}".contains(*c);
    match text.chars().find(forbidden) {
        Some('}') => Err("`{` and `}` stand around the name of a variable: `{id}`".to_owned()),
        Some(character) => Err(format!("{character:?} cannot be part of a URI (RFC 3986)")),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_templates_that_can_be_matched_are_accepted() {
        for good in ["todo://items", "todo://items/{id}", "file:///{+path}"] {
            assert_eq!(mistake(good), None, "{good}");
        }
        for bad in [
            "items",
            "a b:c",
            "x://{?q}",
            "x://{a}{b}",
            "x://{a",
            "x://a}",
            "x://{+a}/b",
            "x://{a}/{a}",
        ] {
            assert!(mistake(bad).is_some(), "{bad}");
        }
        assert!(overlap("x://{a}", "x://{b}"));
        assert!(!overlap("x://{a}", "x://a"));
    }
}
