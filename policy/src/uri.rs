//! Finds the resource that a URI names: by exact URIs, and by templates (RFC 6570, levels 1 and 2).
//!
//! The gate looks a URI up in the policy's index, and the server in the index of its own resources.
//! Both use this code, so that the resource that is read is the one that was decided on.

use std::{collections::HashMap, fmt};

use matchit::Router;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::operation::Object;

/// The URI of a resource, or the template of a family of them: `todo://items/{id}`.
///
/// `{name}` stands for one segment, and `{+name}` at the end for the rest of the URI. Other expressions
/// of RFC 6570 are refused, because the values of their variables cannot be read back from a URI.
///
/// ```
/// use scopeward_policy::UriTemplate;
///
/// assert!(UriTemplate::parse("todo://items/{id}").is_ok());
/// assert!(UriTemplate::parse("todo://items{?page}").is_err());
/// assert!(UriTemplate::parse("items").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate {
    text: Box<str>,
    variables: Vec<Box<str>>,
    /// Whether the last variable takes the rest of the URI.
    takes_rest: bool,
    /// The template in the syntax of `matchit`.
    route: String,
}

/// Why a text is not a [`UriTemplate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriTemplateError {
    /// The text does not begin with a scheme.
    #[error("a resource has an absolute URI, with a scheme: `todo://items`")]
    NoScheme,
    /// The text has a character that no URI has.
    #[error("{0:?} cannot be part of a URI (RFC 3986)")]
    Character(char),
    /// A brace without its counterpart, or nothing between the two.
    #[error("`{{` and `}}` stand around the name of a variable: `{{id}}`")]
    Braces,
    /// An expression whose variables cannot be read back from a URI.
    #[error(
        "`{{{0}}}` cannot be matched: use `{{name}}` for one segment, or `{{+name}}` at the end"
    )]
    Expression(String),
    /// A variable that stands twice.
    #[error("the variable `{0}` stands twice")]
    Twice(String),
    /// A segment with more than one variable, which cannot be told apart.
    #[error("this template cannot be matched: a segment has at most one variable")]
    Ambiguous,
}

impl UriTemplate {
    /// Parses a URI or a URI template.
    pub fn parse(text: &str) -> Result<Self, UriTemplateError> {
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !is_scheme {
            return Err(UriTemplateError::NoScheme);
        }
        let mut variables: Vec<Box<str>> = vec![];
        let mut route = String::new();
        let mut takes_rest = false;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            route.push_str(literal(before)?);
            let (expression, after) = after.split_once('}').ok_or(UriTemplateError::Braces)?;
            rest = after;
            let (name, is_rest) = match expression.strip_prefix('+') {
                Some(name) => (name, true),
                None => (expression, false),
            };
            if name.is_empty() {
                return Err(UriTemplateError::Braces);
            }
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name || (is_rest && !rest.is_empty()) {
                return Err(UriTemplateError::Expression(expression.to_owned()));
            }
            if variables.iter().any(|other| **other == *name) {
                return Err(UriTemplateError::Twice(name.to_owned()));
            }
            variables.push(name.into());
            takes_rest |= is_rest;
            route.push_str(&if is_rest { format!("{{*{name}}}") } else { format!("{{{name}}}") });
        }
        route.push_str(literal(rest)?);
        let template = Self { text: text.into(), variables, takes_rest, route };
        // The router refuses a template that it cannot match.
        Router::new().insert(&template.route, ()).map_err(|_| UriTemplateError::Ambiguous)?;
        Ok(template)
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of the variables. The URI of one resource has none.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|name| &**name)
    }

    /// Whether the template has variables, and so stands for a family of resources.
    pub fn is_template(&self) -> bool {
        !self.variables.is_empty()
    }
}

/// Checks a part without variables: it has only characters of a URI.
fn literal(text: &str) -> Result<&str, UriTemplateError> {
    let forbidden = |c: char| !c.is_ascii_graphic() || "\"<>\\^`|{}".contains(c);
    match text.chars().find(|c| forbidden(*c)) {
        Some('}') => Err(UriTemplateError::Braces),
        Some(character) => Err(UriTemplateError::Character(character)),
        None => Ok(text),
    }
}

impl fmt::Display for UriTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The error that some URI would match two templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriOverlap {
    /// The template that was not added.
    pub template: String,
    /// The template in the index that it overlaps with.
    pub with: String,
}

/// An index of URI templates, which finds the resource that a URI names.
#[derive(Clone, Default)]
pub struct UriIndex {
    /// The number of each template by its text: a URI, or a template with its variables unexpanded.
    exact: HashMap<Box<str>, usize>,
    templates: Router<usize>,
    all: Vec<UriTemplate>,
}

impl UriIndex {
    /// Adds a template. Templates are numbered from 0 in the order in which they are added.
    ///
    /// # Errors
    ///
    /// Some URI would match both this template and an earlier one.
    pub fn add(&mut self, template: UriTemplate) -> Result<(), UriOverlap> {
        let number = self.all.len();
        if template.is_template()
            && let Err(matchit::InsertError::Conflict { with }) =
                self.templates.insert(template.route.clone(), number)
        {
            let with = self.all.iter().find(|other| other.route == with);
            let with = with.map_or(template.text.to_string(), |other| other.text.to_string());
            return Err(UriOverlap { template: template.text.to_string(), with });
        }
        self.exact.insert(template.text.clone(), number);
        self.all.push(template);
        Ok(())
    }

    /// The number of the template that a URI matches, and the decoded values of the variables. The text
    /// of a template finds that template, without values.
    pub fn find(&self, uri: &str) -> Option<(usize, Object)> {
        if let Some(number) = self.exact.get(uri) {
            return Some((*number, Object::new()));
        }
        let found = self.templates.at(uri).ok()?;
        let template = self.all.get(*found.value)?;
        let rest = template.variables.last().filter(|_| template.takes_rest);
        let mut values = Object::new();
        for (name, value) in found.params.iter() {
            // `{+name}` may have reserved characters in its value (RFC 6570, section 3.2.3).
            let is_rest = rest.is_some_and(|rest| **rest == *name);
            values.insert(name.to_owned(), Value::String(decoded(value, is_rest)?));
        }
        Some((*found.value, values))
    }

    /// The template of this number.
    pub fn template(&self, number: usize) -> Option<&UriTemplate> {
        self.all.get(number)
    }
}

impl fmt::Debug for UriIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(UriTemplate::as_str)).finish()
    }
}

/// The decoded value of a variable. `None` if no expansion of the template gives the value, or if a
/// `.` or `..` in it would lead out of the folder that the template names.
fn decoded(value: &str, is_rest: bool) -> Option<String> {
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let reserved = |c: char| ":/?#[]@!$&'()*+,;=".contains(c);
    let allowed = |c: char| unreserved(c) || c == '%' || (is_rest && reserved(c));
    let mut after_percent = value.split('%').skip(1);
    let is_encoded = after_percent.all(|text| {
        text.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if value.is_empty() || !value.chars().all(allowed) || !is_encoded {
        return None;
    }
    let text = percent_decode_str(value).decode_utf8().ok()?;
    let leads_out = text.split(['/', '\\']).any(|part| part == ".." || part == ".");
    (!leads_out && !text.chars().any(char::is_control)).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(templates: &[&str]) -> UriIndex {
        let mut index = UriIndex::default();
        for template in templates {
            index.add(UriTemplate::parse(template).unwrap()).unwrap();
        }
        index
    }

    #[test]
    fn uris_and_templates_that_can_be_matched_are_accepted_and_no_others() {
        for good in
            ["todo://items", "todo://items/{id}", "file:///{+path}", "x:y", "a+b://{h}/c/{d}.json"]
        {
            assert!(UriTemplate::parse(good).is_ok(), "{good}: {:?}", UriTemplate::parse(good));
        }
        for bad in [
            "",
            "items",
            "/items",
            "{scheme}://x",
            "1a://x",
            "todo://a b",
            "todo://é",
            "todo://{id",
            "todo://id}",
            "todo://{}",
            "todo://{+}",
            "todo://{?page}",
            "todo://{a,b}",
            "todo://{a*}",
            "todo://{+a}/b",
            "todo://{a}/{a}",
            "todo://{a}{b}",
            "todo://{{a}}",
            "todo://a|b",
        ] {
            assert!(UriTemplate::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_uri_finds_its_template_and_values_or_nothing() {
        let index =
            index(&["todo://items", "todo://items/{id}", "todo://items/all", "doc:///{+path}"]);
        let find = |uri: &str| {
            let (number, values) = index.find(uri)?;
            let mut values = values.into_iter().map(|(name, value)| format!("{name}={value}"));
            Some((number, values.next().unwrap_or_default()))
        };
        let found = |number: usize, value: &str| Some((number, value.to_owned()));
        assert_eq!(find("todo://items"), found(0, ""));
        assert_eq!(find("todo://items/7"), found(1, "id=\"7\""));
        assert_eq!(find("todo://items/all"), found(2, ""));
        assert_eq!(find("todo://items/a%2Fb%20c"), found(1, "id=\"a/b c\""));
        assert_eq!(find("todo://items/{id}"), found(1, ""), "the template itself");
        assert_eq!(find("doc:///a/b?c#d"), found(3, "path=\"a/b?c#d\""));
        for nothing in [
            "",
            "todo://items/",
            "todo://items/7/8",
            "todo://items/7?x",
            "todo://items/7#x",
            "TODO://items/7",
            "todo://Items/7",
            "todo://items/%",
            "todo://items/%zz",
            "todo://items/%ff",
            "todo://items/%00",
            "todo://items/..",
            "todo://items/%2e%2E",
            "todo://items/..%2Fx",
            "todo://items/a%5C..%5Cb",
            "todo://items/a b",
            "todo://items/é",
            "doc:///",
            "doc:///a/../b",
            "doc:///a/%2e%2e/b",
            "doc:///../x",
            " todo://items",
        ] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_template_that_overlaps_with_another_is_refused() {
        let mut index = index(&["todo://items/{id}"]);
        let overlap = index.add(UriTemplate::parse("todo://items/{name}").unwrap()).unwrap_err();
        assert_eq!(overlap.with, "todo://items/{id}");
    }
}
