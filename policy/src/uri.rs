//! Finds the resource that a URI names: by exact URIs, and by templates (RFC 6570, levels 1 and 2).
//!
//! The gate looks a URI up in the policy's index, and the server in the index of its own resources.
//! Both use this code, so that the resource that is read is the one that was decided on. Both see a
//! URI in its canonical form, so that no other spelling is decided by another rule.

mod canonical;
#[cfg(test)]
mod properties;
mod tree;
mod value;

use std::{collections::HashMap, fmt};

use serde_json::Value;

use super::operation::Object;
pub use canonical::{NotCanonical, canonical_uri};
use canonical::{Part, VARIABLE};
use tree::{Affix, Segment, Tree};

/// The URI of a resource, or the template of a family of them: `todo://items/{id}`.
///
/// `{name}` stands for one segment, and `{+name}` at the end for the rest of the URI. Other expressions
/// of RFC 6570 are refused, because the values of their variables cannot be read back from a URI.
///
/// The value of a variable is a name, or with `{+name}` several names with one `/` between two. It
/// never begins with `/` or a drive (`C:`), and has no `.` or `..` as a name, no backslash and no
/// control character. A URI that would give such a value names no resource.
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
    variables: Vec<Variable>,
    /// The canonical form, with a mark for each variable.
    canonical: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    name: Box<str>,
    /// The part of the URI that the variable stands in, or begins in.
    part: Part,
    takes_rest: bool,
}

/// Why a text is not a [`UriTemplate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriTemplateError {
    /// The text has no canonical form, so two readers could take it for two resources.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
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
        let mut variables: Vec<Variable> = vec![];
        let mut marked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            marked.push_str(literal(before)?);
            let (expression, after) = after.split_once('}').ok_or(UriTemplateError::Braces)?;
            rest = after;
            let (name, takes_rest) = match expression.strip_prefix('+') {
                Some(name) => (name, true),
                None => (expression, false),
            };
            if name.is_empty() {
                return Err(UriTemplateError::Braces);
            }
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name || (takes_rest && !rest.is_empty()) {
                return Err(UriTemplateError::Expression(expression.to_owned()));
            }
            if variables.iter().any(|other| *other.name == *name) {
                return Err(UriTemplateError::Twice(name.to_owned()));
            }
            let part = part_after(&marked);
            variables.push(Variable { name: name.into(), part, takes_rest });
            marked.push(char::from(VARIABLE));
        }
        marked.push_str(literal(rest)?);
        let canonical = canonical::canonical(&marked)?;
        let ambiguous = |segment: &str| segment.bytes().filter(|b| *b == VARIABLE).count() > 1;
        if canonical.split('/').any(ambiguous) {
            return Err(UriTemplateError::Ambiguous);
        }
        Ok(Self { text: text.into(), variables, canonical })
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of the variables. The URI of one resource has none.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| &*variable.name)
    }

    /// Whether the template has variables, and so stands for a family of resources.
    pub fn is_template(&self) -> bool {
        !self.variables.is_empty()
    }

    /// Whether every URI of this template is one of `wider` as well.
    pub fn is_within(&self, wider: &Self) -> bool {
        tree::is_within(&self.pattern(), &wider.pattern())
    }

    /// The pattern of each segment.
    fn pattern(&self) -> Vec<Segment> {
        let takes_rest = self.variables.last().is_some_and(|last| last.takes_rest);
        let last = self.canonical.matches('/').count();
        let segment = |(number, segment): (usize, &str)| {
            match segment.split_once(char::from(VARIABLE)) {
                None => Segment::Literal(segment.into()),
                // The variable for the rest is at the end of the template.
                Some((before, _)) if takes_rest && number == last => Segment::Rest(before.into()),
                Some((before, after)) => {
                    Segment::Variable(Affix { before: before.into(), after: after.into() })
                }
            }
        };
        self.canonical.split('/').enumerate().map(segment).collect()
    }
}

/// The part of a URI that follows after this beginning of it.
fn part_after(text: &str) -> Part {
    let after = text.split_once(':').map_or("", |(_, after)| after);
    if after.contains(['?', '#']) {
        return Part::Query;
    }
    match after.strip_prefix("//") {
        Some(authority) if !authority.contains('/') => Part::Authority,
        _ => Part::Path,
    }
}

/// Checks a part without variables: it has only characters of a URI.
fn literal(text: &str) -> Result<&str, UriTemplateError> {
    let forbidden = |c: char| !c.is_ascii_graphic() || "\"<>\\^`|{}".contains(c);
    match text.chars().find(|c| forbidden(*c)) {
        Some('}') => Err(UriTemplateError::Braces),
        Some(character) => Err(NotCanonical::Character(character).into()),
        None => Ok(text),
    }
}

impl fmt::Display for UriTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The error that some URI would match two templates of which neither is the narrower.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a URI of {template} could be one of {with} as well, and neither is the narrower")]
pub struct UriOverlap {
    /// The template that was not added.
    pub template: String,
    /// The template in the index that it overlaps with.
    pub with: String,
}

/// The resource that a URI names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundUri {
    /// The number of the template that the URI matches.
    pub number: usize,
    /// The decoded values of the template's variables.
    pub values: Object,
    /// The URI in its canonical form, or the text of a template.
    pub uri: String,
}

/// An index of URI templates, which finds the resource that a URI names.
///
/// ```
/// use scopeward_policy::{FoundUri, UriIndex, UriOverlap, UriTemplate, UriTemplateError};
///
/// let mut index = UriIndex::default();
/// index.add(UriTemplate::parse("note://items/{id}")?)?;
/// index.add(UriTemplate::parse("note://items/top-secret")?)?;
/// let FoundUri { number, values, uri, .. } = index.find("note://items/milk").ok_or("nothing")?;
/// assert_eq!((number, values["id"].as_str(), uri.as_str()), (0, Some("milk"), "note://items/milk"));
/// // The narrower of two is found, in whatever spelling.
/// assert_eq!(index.find("note://items/top%2Dsecret").map(|found| found.number), Some(1));
///
/// let secret = index.template(1).ok_or("nothing")?;
/// let family = index.template(0).ok_or("nothing")?;
/// assert!(secret.is_within(family) && family.is_template() && !secret.is_template());
/// assert_eq!((family.as_str(), family.variables().next()), ("note://items/{id}", Some("id")));
/// assert_eq!(index.overlapping(secret).len(), 1);
/// let overlap: Result<(), UriOverlap> = index.add(UriTemplate::parse("note://{kind}/top-secret")?);
/// assert!(overlap.is_err(), "neither is the narrower");
/// let error: UriTemplateError = UriTemplate::parse("note://{").unwrap_err();
/// assert!(!error.to_string().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct UriIndex {
    /// The number of each template by its text: a URI, or a template with its variables unexpanded.
    texts: HashMap<Box<str>, usize>,
    /// The number of each URI without variables, by its canonical form.
    exact: HashMap<Box<str>, usize>,
    templates: Tree,
    all: Vec<UriTemplate>,
}

impl UriIndex {
    /// Adds a template. Templates are numbered from 0 in the order in which they are added. Of
    /// templates that match one URI, the narrower is found.
    ///
    /// # Errors
    ///
    /// Some URI would match both this template and an earlier one, and neither is the narrower.
    pub fn add(&mut self, template: UriTemplate) -> Result<(), UriOverlap> {
        let number = self.all.len();
        let mut overlapping = vec![];
        let pattern = template.pattern();
        if template.is_template() {
            self.templates.overlapping(&pattern, &mut overlapping);
            overlapping.retain(|other| {
                let other = self.all.get(*other).map(UriTemplate::pattern).unwrap_or_default();
                tree::is_within(&pattern, &other) == tree::is_within(&other, &pattern)
            });
        } else {
            overlapping.extend(self.exact.get(&*template.canonical));
        }
        if let Some(with) = overlapping.iter().min().and_then(|number| self.all.get(*number)) {
            let with = with.text.to_string();
            return Err(UriOverlap { template: template.text.to_string(), with });
        }
        if template.is_template() {
            self.templates.add(&pattern, number);
        } else {
            self.exact.insert(template.canonical.as_str().into(), number);
        }
        self.texts.insert(template.text.clone(), number);
        self.all.push(template);
        Ok(())
    }

    /// The resource that a URI names. The text of a template finds that template, without values.
    ///
    /// `None` as well if the URI has no canonical form, if it is no expansion of its template, or if
    /// some readers would take it for a URI of another template.
    pub fn find(&self, uri: &str) -> Option<FoundUri> {
        if let Some(number) = self.texts.get(uri)
            && self.all.get(*number).is_some_and(UriTemplate::is_template)
        {
            let (number, uri) = (*number, uri.to_owned());
            return Some(FoundUri { number, values: Object::new(), uri });
        }
        let uri = canonical_uri(uri).ok()?;
        if let Some(number) = self.exact.get(&*uri) {
            return Some(FoundUri { number: *number, values: Object::new(), uri });
        }
        let (number, texts) = self.templates.find(&uri)?;
        let mut values = Object::new();
        for (variable, text) in self.all.get(number)?.variables.iter().zip(texts) {
            let value = value::decode(text, variable.part, variable.takes_rest)?;
            values.insert(variable.name.to_string(), Value::String(value));
        }
        let is_another = |other: String| self.number(&other).is_some_and(|other| other != number);
        if value::look_alikes(&uri).any(is_another) {
            return None;
        }
        Some(FoundUri { number, values, uri })
    }

    /// The number of the template that a URI matches, whatever the values of its variables.
    fn number(&self, uri: &str) -> Option<usize> {
        let uri = canonical_uri(uri).ok()?;
        let exact = self.exact.get(&*uri).copied();
        exact.or_else(|| self.templates.find(&uri).map(|(number, _)| number))
    }

    /// The template of this number.
    pub fn template(&self, number: usize) -> Option<&UriTemplate> {
        self.all.get(number)
    }

    /// The templates whose URIs include a URI of this one, in the order in which they were added.
    pub fn overlapping(&self, template: &UriTemplate) -> Vec<&UriTemplate> {
        let mut found = vec![];
        self.templates.overlapping(&template.pattern(), &mut found);
        found.sort_unstable();
        let others = found.into_iter().filter_map(|number| self.all.get(number));
        others.filter(|other| other.text != template.text).collect()
    }
}

impl fmt::Debug for UriIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(UriTemplate::as_str)).finish()
    }
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

    fn found(index: &UriIndex, uri: &str) -> Option<(usize, String)> {
        let FoundUri { number, values, .. } = index.find(uri)?;
        let mut values = values.into_iter().map(|(name, value)| format!("{name}={value}"));
        Some((number, values.next().unwrap_or_default()))
    }

    #[test]
    fn a_uri_finds_its_template_and_values_or_nothing() {
        let index =
            index(&["todo://items", "todo://items/{id}", "todo://items/all", "doc:///{+path}"]);
        let find = |uri: &str| found(&index, uri);
        let found = |number: usize, value: &str| Some((number, value.to_owned()));
        assert_eq!(find("todo://items"), found(0, ""));
        assert_eq!(find("todo://items/7"), found(1, "id=\"7\""));
        assert_eq!(find("todo://items/all"), found(2, ""));
        assert_eq!(find("todo://items/a%20b"), found(1, "id=\"a b\""));
        assert_eq!(find("todo://items/{id}"), found(1, ""), "the template itself");
        assert_eq!(find("doc:///a/b?c"), found(3, "path=\"a/b?c\""));
        assert_eq!(find("doc:///a/"), found(3, "path=\"a/\""));
        for nothing in [
            "",
            "todo://items/7/8",
            "todo://items/7?x",
            "todo://items/7#x",
            "todo://items/%",
            "todo://items/%zz",
            "todo://items/%ff",
            "todo://items/%00",
            "todo://items/..",
            "todo://items/%2e%2E",
            "todo://items/..%2Fx",
            "todo://items/a%2Fb",
            "todo://items/a%5C..%5Cb",
            "todo://items/a b",
            "todo://items/é",
            "doc:///",
            "doc:///a/../b",
            "doc:///a/%2e%2e/b",
            "doc:///../x",
            "doc:///a/./b",
            "doc:///a#b",
            "doc:///a?",
            " todo://items",
            "todo://items%",
        ] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn another_spelling_is_decided_by_the_narrower_rule() {
        let index = index(&[
            "note://items/top-secret",
            "note://items/{id}",
            "db://secret/launch",
            "db://{kind}/{id}",
            "file:///pub/secret",
            "file:///pub/{+path}",
            "http://host:8080/a",
            "http://host/{+all}",
        ]);
        for (uri, number) in [
            ("note://items/top%2Dsecret", 0),
            ("note://items/%74op-secret", 0),
            ("NOTE://items/top-secret", 0),
            ("note://ITEMS/top-secret", 0),
            ("note://%69tems/top-secret", 0),
            ("note://items:/top-secret", 0),
            ("note://items/Top-secret", 1),
            ("db://secre%74/launch", 2),
            ("db://SECRET/launch", 2),
            ("db://SECRE%54/launc%68", 2),
            ("db://secret/other", 3),
            ("file:///pub/se%63ret", 4),
            ("file:///pub/secrets", 5),
            ("http://HOST:08080/a", 6),
            ("http://host:80/a", 7),
        ] {
            assert_eq!(index.find(uri).map(|found| found.number), Some(number), "{uri}");
        }
        for refused in [
            "note://@items/top-secret",
            "note://items/./top-secret",
            "note://items//top-secret",
            "note://items/top-secret/",
            "note://items/top-secret%20",
            "note://items/top-secret.",
            "note://items/top-secret?",
            "note://items/top-secret#",
            "note://items/top-secret%00",
            "note://items/top%252Dsecret",
            "note://items/%EF%BD%94op-secret",
            "file:///pub/secret/",
            "file:///pub/secret?",
            "file:///pub/secret?x",
            "file:///pub/secret#x",
            "file:///pub//secret",
            "file:///pub/./secret",
            "file:///pub/a/../secret",
            "file:///pub/%2Fsecret",
            "file:///pub%2Fsecret",
        ] {
            assert_eq!(index.find(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_variable_never_takes_what_leads_out() {
        let index = index(&["file:///pub/{+path}", "one:///{id}", "host://{host}/x"]);
        for value in [
            "/etc/passwd",
            "%2Fetc/passwd",
            "%2fetc",
            "a//b",
            "//host/share",
            "C:/x",
            "c:x",
            "C%3A/x",
            "C:%5Cx",
            "%43:/x",
            "a/C:/x",
            "%5C%5Chost%5Cshare",
            "%5Cetc",
            "a%5Cb",
            "%5C%5C%3F%5CC:%5Cx",
            "..",
            "../x",
            "x/..",
            "%2e%2e/x",
            "..%2Fx",
            "..%5Cx",
            "...",
            "..%20",
            "%20../x",
            "a/.%20./b",
            "a%00",
            "a%00.txt",
            "a%0D%0Ab",
            "a%1Bb",
            "a%7F",
            "a%C2%85b",
            "a%E2%80%A8b",
            "%252e%252e/x",
            "%252Fetc",
            "%C0%AFetc",
            "%C0%AE%C0%AE/x",
            "%E0%80%AFetc",
            "%EF%BC%8Fetc",
            "%EF%BC%8E%EF%BC%8E/x",
            "a%EF%BC%BCb",
            "C%EF%BC%9A/x",
            "%E2%80%A5/x",
            "a%2Fb",
            "http://evil.example/",
            "a%23b",
            "a%3Fb",
        ] {
            let uri = format!("file:///pub/{value}");
            assert_eq!(index.find(&uri), None, "{uri}");
            if !["a%3Fb", "a%23b"].contains(&value) {
                let uri = format!("one:///{value}");
                assert_eq!(index.find(&uri), None, "{uri}");
            }
        }
        for host in ["%2Fetc", "a%3A80", "a:80", "u@a", "u%40a", "..", "%5C", "%00"] {
            let uri = format!("host://{host}/x");
            assert_eq!(index.find(&uri), None, "{uri}");
        }
        for (uri, value) in [
            ("file:///pub/a/b.txt", "a/b.txt"),
            ("file:///pub/.hidden", ".hidden"),
            ("file:///pub/a..b/c%20d", "a..b/c d"),
            ("file:///pub/100%25", "100%"),
            ("file:///pub/%5Bx%5D", "[x]"),
            ("one:///caf%C3%A9", "café"),
            ("one:///Apple%20Inc.", "Apple Inc."),
            ("one:///id:b", "id:b"),
            ("one:///id%3Ab", "id:b"),
            ("one:///user@example.com", "user@example.com"),
        ] {
            let found = index.find(uri).unwrap_or_else(|| panic!("{uri}"));
            assert_eq!(found.values.values().next(), Some(&Value::from(value)), "{uri}");
        }
    }

    #[test]
    fn a_template_that_neither_contains_nor_is_contained_is_refused() {
        let overlap = |one: &str, other: &str| {
            let mut index = index(&[one]);
            index.add(UriTemplate::parse(other).unwrap()).is_err()
        };
        for (one, other) in [
            ("todo://items/{id}", "todo://items/{name}"),
            ("todo://items/{id}", "TODO://Items/{name}"),
            ("todo://a/{x}/c", "todo://a/b/{y}"),
            ("todo://a/{x}.json", "todo://a/b{x}"),
            ("todo://a/{+x}", "todo://{h}/b"),
            ("todo://items/top-secret", "todo://items/top%2dsecret"),
            ("todo://items", "todo://items/"),
        ] {
            assert!(overlap(one, other), "{one} {other}");
            assert!(overlap(other, one), "{other} {one}");
        }
        for (one, other) in [
            ("todo://items/{id}", "todo://items/{id}.json"),
            ("todo://items/{id}", "todo://{kind}/{id}"),
            ("todo://items/{+rest}", "todo://items/{id}"),
            ("todo://{+all}", "todo://items/{+rest}"),
            ("todo://a/{x}.json", "todo://a/{x}.txt"),
        ] {
            assert!(!overlap(one, other), "{one} {other}");
            assert!(!overlap(other, one), "{other} {one}");
        }
    }
}
