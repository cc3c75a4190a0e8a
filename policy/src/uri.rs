//! Which resource a URI is: exact URIs, and templates with variables (RFC 6570, levels 1 and 2).
//!
//! The gate asks the policy's index, and the server asks that of its own resources: the same code,
//! so that what is decided is what is read.

use std::{collections::HashMap, fmt};

use matchit::Router;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::operation::Object;

/// The URI of a resource, or the template of a family of them: `todo://items/{id}`.
///
/// `{name}` stands for one segment, `{+name}` at the end for all that is left. Other expressions of
/// RFC 6570 are refused: what they expand to cannot be told apart again.
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
    /// Whether the last variable takes all that is left.
    takes_rest: bool,
    /// As the index writes it.
    route: String,
}

/// Why a text is not a [`UriTemplate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriTemplateError {
    /// It does not begin with a scheme.
    #[error("a resource has an absolute URI, with a scheme: `todo://items`")]
    NoScheme,
    /// A character that no URI has.
    #[error("{0:?} cannot be part of a URI (RFC 3986)")]
    Character(char),
    /// A brace without its other half, or nothing between the two.
    #[error("`{{` and `}}` stand around the name of a variable: `{{id}}`")]
    Braces,
    /// An expression that cannot be told apart again.
    #[error(
        "`{{{0}}}` cannot be matched: use `{{name}}` for one segment, or `{{+name}}` at the end"
    )]
    Expression(String),
    /// A variable that stands twice.
    #[error("the variable `{0}` stands twice")]
    Twice(String),
    /// A part that begins like the variable before it ends.
    #[error("this template cannot be matched: a segment has at most one variable")]
    Ambiguous,
}

impl UriTemplate {
    /// Checks `text` and keeps it.
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
        // Whether it can be matched at all is for the index to say.
        Router::new().insert(&template.route, ()).map_err(|_| UriTemplateError::Ambiguous)?;
        Ok(template)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its variables; without any it is one resource's URI.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|name| &**name)
    }

    /// Whether it stands for a family of resources.
    pub fn is_template(&self) -> bool {
        !self.variables.is_empty()
    }
}

/// A part without variables: characters of a URI.
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

/// Two templates that some URI would match both of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The template that was to be added.
    pub template: String,
    /// The one that was there before.
    pub with: String,
}

/// Finds the resource of a URI.
#[derive(Clone, Default)]
pub struct UriIndex {
    /// By the text itself: a URI without variables, or a template named as such.
    exact: HashMap<Box<str>, usize>,
    templates: Router<usize>,
    all: Vec<UriTemplate>,
}

impl UriIndex {
    /// Adds a template. Its number is its place in the order of additions.
    ///
    /// # Errors
    ///
    /// Some URI would match a template that is there already.
    pub fn add(&mut self, template: UriTemplate) -> Result<(), Overlap> {
        let number = self.all.len();
        if template.is_template()
            && let Err(matchit::InsertError::Conflict { with }) =
                self.templates.insert(template.route.clone(), number)
        {
            let with = self.all.iter().find(|other| other.route == with);
            let with = with.map_or(template.text.to_string(), |other| other.text.to_string());
            return Err(Overlap { template: template.text.to_string(), with });
        }
        self.exact.insert(template.text.clone(), number);
        self.all.push(template);
        Ok(())
    }

    /// The resource of this URI and the values of its variables, decoded. The text of a template
    /// finds the template itself, without values.
    pub fn find(&self, uri: &str) -> Option<(usize, Object)> {
        if let Some(number) = self.exact.get(uri) {
            return Some((*number, Object::new()));
        }
        let found = self.templates.at(uri).ok()?;
        let template = self.all.get(*found.value)?;
        let rest = template.variables.last().filter(|_| template.takes_rest);
        let mut values = Object::new();
        for (name, value) in found.params.iter() {
            // A variable that takes the rest may hold reserved characters (RFC 6570, section 3.2.3).
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

/// The value of a variable; `None` if no expansion of the template gives it, or if it would lead
/// out of the place that the template names.
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
    fn what_is_a_template() {
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
    fn what_a_uri_finds() {
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
    fn no_uri_is_two_resources() {
        let mut index = index(&["todo://items/{id}"]);
        let overlap = index.add(UriTemplate::parse("todo://items/{name}").unwrap()).unwrap_err();
        assert_eq!(overlap.with, "todo://items/{id}");
    }
}
