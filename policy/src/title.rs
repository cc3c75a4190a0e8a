//! Titles for scopes that nobody has described yet: what the name of a scope most likely allows.

/// Words that have no plural, or are one.
const UNCOUNTABLE: &[&str] = &[
    "access",
    "audit",
    "billing",
    "content",
    "data",
    "email",
    "history",
    "info",
    "inventory",
    "mail",
    "media",
    "metadata",
    "news",
    "offline",
    "payroll",
    "search",
    "settings",
    "status",
    "storage",
    "usage",
    "weather",
];

/// A title for a scope: `todo:write` allows to "Create and change todos".
///
/// ```
/// use scopeward_policy::title_for;
///
/// assert_eq!(title_for("todo:read"), "See todos");
/// assert_eq!(title_for("calendar.events.delete"), "Delete calendar events");
/// assert_eq!(title_for("email"), "See your email address");
/// ```
pub fn title_for(scope: &str) -> String {
    match scope {
        "openid" => return "Sign you in".to_owned(),
        "profile" => return "See your profile".to_owned(),
        "email" => return "See your email address".to_owned(),
        "offline_access" => return "Stay signed in".to_owned(),
        _ => {}
    }
    let parts = parts(scope);
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    let title = match words.as_slice() {
        [] => return format!("Use {scope}"),
        ["admin"] => "Manage everything".to_owned(),
        ["read"] => "See everything".to_owned(),
        ["write"] => "Create and change everything".to_owned(),
        ["admin", verb] => format!("{} administration", doing(verb)),
        [one] => format!("Use {}", plural(one)),
        // A part such as `1` is no verb.
        [.., verb] if verb.len() < 2 || !verb.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            format!("Use {}", words.join(" "))
        }
        [things @ .., verb] => {
            let mut things = things.join(" ");
            let last = things.rsplit(' ').next().unwrap_or_default().to_owned();
            things.truncate(things.len() - last.len());
            format!("{} {things}{}", doing(verb), plural(&last))
        }
    };
    capitalized(&title)
}

/// The words of a scope in lower case, without the URL that some providers write before it.
fn parts(scope: &str) -> Vec<String> {
    let name = scope
        .split_once("://")
        .map_or(scope, |(_, rest)| rest.split_once('/').map_or(rest, |(_, name)| name));
    let mut words: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        // `Mail.ReadWrite` has the verb `readwrite`, and `userProfile` two words.
        let is_hump = c.is_ascii_uppercase()
            && before.is_ascii_lowercase()
            && !(c == 'W' && words.last().is_some_and(|word| word == "read"));
        if !c.is_ascii_alphanumeric() || is_hump {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What a verb of a scope allows to do.
fn doing(verb: &str) -> String {
    capitalized(match verb {
        "read" | "readonly" | "view" | "get" | "list" => "see",
        "write" | "edit" => "create and change",
        "readwrite" => "see and change",
        "admin" | "manage" | "full" => "manage",
        other => other,
    })
}

fn plural(noun: &str) -> String {
    let is_vowel = |c: char| "aeiou".contains(c);
    let before_last = noun.chars().rev().nth(1);
    if UNCOUNTABLE.contains(&noun) || noun.ends_with(|c: char| c.is_ascii_digit()) {
        return noun.to_owned();
    }
    match noun.strip_suffix('y') {
        Some(stem) if before_last.is_some_and(|c| !is_vowel(c)) => format!("{stem}ies"),
        _ if noun.ends_with("ss") || noun.ends_with(['x', 'z']) => format!("{noun}es"),
        _ if noun.ends_with("ch") || noun.ends_with("sh") => format!("{noun}es"),
        _ if noun.ends_with('s') || noun.len() < 2 => noun.to_owned(),
        _ => format!("{noun}s"),
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::title_for;

    #[test]
    fn titles_read_well() {
        for (scope, title) in [
            ("todo:read", "See todos"),
            ("todo:write", "Create and change todos"),
            ("todo:admin", "Manage todos"),
            ("admin:access", "Access administration"),
            ("admin", "Manage everything"),
            ("category:read", "See categories"),
            ("day:read", "See days"),
            ("box:share", "Share boxes"),
            ("repo:issues:write", "Create and change repo issues"),
            ("api://todo-server/todo.write", "Create and change todos"),
            ("https://www.example.com/auth/calendar.readonly", "See auth calendars"),
            ("Files.ReadWrite", "See and change files"),
            ("user_profile:delete", "Delete user profiles"),
            ("settings:write", "Create and change settings"),
            ("note", "Use notes"),
            ("s:1", "Use s 1"),
            ("!", "Use !"),
        ] {
            assert_eq!(title_for(scope), title, "{scope}");
        }
    }

    proptest! {
        #[test]
        fn every_scope_has_a_title(scope in r"[\x21\x23-\x5b\x5d-\x7e]{1,30}") {
            prop_assert!(!title_for(&scope).trim().is_empty());
        }
    }
}
