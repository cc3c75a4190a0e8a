//! Every spelling of a declared URI is decided by the rule that the URI itself is decided by.

use proptest::prelude::*;

use super::*;

/// Templates as policies declare them: exact URIs beside wider templates.
const DECLARED: [&str; 12] = [
    "note://items/top-secret",
    "note://items/{id}",
    "note://items",
    "db://secret/launch",
    "db://{kind}/{id}",
    "db://{+all}",
    "file:///pub/secret/key.pem",
    "file:///pub/secret/{name}",
    "file:///pub/{+path}",
    "https://api.example.com/v1/admin",
    "https://api.example.com/{+path}",
    "urn:example:a-b",
];

fn declared() -> UriIndex {
    let mut index = UriIndex::default();
    for template in DECLARED {
        index.add(UriTemplate::parse(template).unwrap()).unwrap();
    }
    index
}

/// One character in another spelling, which RFC 3986 (section 6.2.2) calls equivalent: encoded, with
/// digits of either case.
fn respelt(uri: &str, choices: &[u8]) -> String {
    let after_scheme = uri.find(':').unwrap_or(0);
    let host = uri[after_scheme..].strip_prefix("://").map_or(after_scheme..after_scheme, |rest| {
        after_scheme + 3..after_scheme + 3 + rest.find('/').unwrap_or(rest.len())
    });
    let mut out = String::new();
    for (at, c) in uri.char_indices() {
        let choice = choices.get(at % choices.len().max(1)).copied().unwrap_or(0);
        let is_unreserved = c.is_ascii_alphanumeric() || "-._~".contains(c);
        let c = match choice % 5 {
            3 | 4 if at < after_scheme || host.contains(&at) => c.to_ascii_uppercase(),
            _ => c,
        };
        match choice % 5 {
            1 | 3 if is_unreserved && at > after_scheme => {
                out.push_str(&format!("%{:02X}", c as u8));
            }
            2 if is_unreserved && at > after_scheme => out.push_str(&format!("%{:02x}", c as u8)),
            _ => out.push(c),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_spelling_of_a_uri_finds_what_the_uri_finds(
        which in 0..DECLARED.len(),
        value in "[a-z0-9~_-]{1,6}",
        choices in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let mut uri = DECLARED[which].to_owned();
        while let (Some(open), Some(close)) = (uri.find('{'), uri.find('}')) {
            uri.replace_range(open..=close, &value);
        }
        let index = declared();
        let plain = index.find(&uri);
        let spelling = respelt(&uri, &choices);
        prop_assert_eq!(index.find(&spelling), plain.clone(), "{} as {}", uri, spelling);
        prop_assert!(plain.is_some_and(|found| found.uri == uri), "{}", uri);
    }

    /// Whatever is written in place of an exact URI, it is decided by its rule, or the value that a
    /// wider template gives differs from the exact URI in more than its spelling.
    #[test]
    fn no_text_gives_a_variable_what_the_narrower_rule_names(text in spelt_secret()) {
        let index = declared();
        for (uri, wider) in [
            (format!("note://items/{text}"), "top-secret"),
            (format!("file:///pub/secret/{text}"), "key.pem"),
        ] {
            let Some(found) = index.find(&uri) else { continue };
            for value in found.values.values().filter_map(Value::as_str) {
                let value = value.trim_start_matches('/').trim_end_matches(['/', '.', ' ']);
                prop_assert_ne!(value, wider, "{}", uri);
            }
        }
    }

    /// A canonical form is its own canonical form.
    #[test]
    fn the_canonical_form_is_a_fixed_point(text in "[a-zA-Z]{1,3}:(//)?[a-zA-Z0-9%@:./?#!\\[-]{0,24}") {
        if let Ok(once) = canonical_uri(&text) {
            prop_assert_eq!(canonical_uri(&once), Ok(once));
        }
    }

    /// No value leads out, whatever the text is.
    #[test]
    fn no_value_leads_out(text in "([a-c./:%\\\\ ]|%2[eEfF]|%5[cC]|%00|%25|%3[aA]|%EF%BC%8F){0,12}") {
        let index = declared();
        for uri in [format!("file:///pub/{text}"), format!("note://items/{text}"), format!("db://{text}")] {
            let Some(found) = index.find(&uri) else { continue };
            let rest = found.uri.starts_with("file:") || found.values.contains_key("all");
            for value in found.values.values().filter_map(Value::as_str) {
                prop_assert!(!value.starts_with('/') && !value.contains("//"), "{} {}", uri, value);
                prop_assert!(!value.contains(['\\', '\0']), "{} {}", uri, value);
                prop_assert!(rest || !value.contains('/'), "{} {}", uri, value);
                prop_assert!(value.split('/').all(|one| one != "." && one != ".."), "{} {}", uri, value);
                prop_assert!(!matches!(value.as_bytes(), [b'a'..=b'z', b':', ..]), "{} {}", uri, value);
            }
        }
    }

    /// The tree finds what a search through all templates finds, and the narrowest of it.
    #[test]
    fn the_tree_finds_the_narrowest_of_all_that_match(
        templates in prop::collection::vec("x:(/(a|b|\\{V\\}|a\\{V\\}|\\{V\\}b)){1,3}(/\\{\\+R\\})?", 1..12),
        uri in "x:(/(a|b|ab|aab|c)){1,4}",
    ) {
        let mut index = UriIndex::default();
        let mut added: Vec<UriTemplate> = vec![];
        for text in templates {
            let mut named = String::new();
            for (number, part) in text.split('V').enumerate() {
                if number > 0 {
                    named.push_str(&format!("v{number}"));
                }
                named.push_str(part);
            }
            let template = UriTemplate::parse(&named).unwrap();
            let clash = added.iter().any(|other| {
                let both = tree::overlap(&template.pattern(), &other.pattern());
                both && (template.is_within(other) == other.is_within(&template))
            });
            let result = index.add(template.clone());
            prop_assert_eq!(result.is_err(), clash, "{} {:?}", named, added);
            if !clash {
                added.push(template);
            }
        }
        let exact = UriTemplate::parse(&uri).unwrap();
        let matching: Vec<_> = added.iter().filter(|one| exact.is_within(one)).collect();
        let narrowest = matching.iter().find(|one| {
            matching.iter().all(|other| one.is_within(other))
        });
        prop_assert_eq!(matching.is_empty(), narrowest.is_none());
        if let Some(found) = index.find(&uri) {
            let found = index.template(found.number).map(UriTemplate::as_str);
            prop_assert_eq!(found, narrowest.map(|one| one.as_str()));
        } else {
            prop_assert!(narrowest.is_none(), "{}", uri);
        }
    }
}

/// Spellings of two secret names: plain, encoded once and twice, with what readers often ignore.
fn spelt_secret() -> impl Strategy<Value = String> {
    let character = |c: char| {
        prop_oneof![
            4 => Just(c.to_string()),
            1 => Just(format!("%{:02X}", c as u8)),
            1 => Just(format!("%{:02x}", c as u8)),
            1 => Just(format!("%25{:02X}", c as u8)),
        ]
    };
    let spelt = move |name: &'static str| {
        name.chars().map(character).collect::<Vec<_>>().prop_map(|all| all.concat())
    };
    let around = || {
        prop_oneof![
            6 => Just(""),
            1 => Just("/"), 1 => Just("./"), 1 => Just("%2F"), 1 => Just("%20"), 1 => Just("."),
            1 => Just("?"), 1 => Just("#"), 1 => Just("?x"), 1 => Just("%00"), 1 => Just("%5C"),
            1 => Just("//"), 1 => Just("x/../"), 1 => Just(";"), 1 => Just("%E2%80%A8"),
        ]
    };
    (around(), prop_oneof![spelt("top-secret"), spelt("key.pem")], around())
        .prop_map(|(before, name, after)| format!("{before}{name}{after}"))
}
