//! Reads the file `.env` into the process environment.
//!
//! A value is taken as it is written, because a secret in which something were expanded or escaped
//! would silently be another secret. One pair of quotes around a whole value is left out.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use super::Failure;
use crate::file;

/// The name of the file.
const NAME: &str = ".env";

/// A line of the file that sets a variable.
#[derive(Debug, PartialEq, Eq)]
struct Assignment<'t> {
    name: &'t str,
    value: &'t str,
}

/// The file that is read: `.env` here, or in the nearest folder above that has one.
pub(super) fn find() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    let found = here.ancestors().map(|folder| folder.join(NAME));
    found.into_iter().find(|path| path.exists() && !path.is_dir())
}

/// Sets the variables of the file that the process environment has not, or has empty. A missing file
/// is fine.
///
/// # Errors
///
/// A file that cannot be read, or a line that sets no variable, because settings would be missing.
pub(super) fn read() -> Result<(), Failure> {
    let Some(path) = find() else { return Ok(()) };
    let shown = shown(&path);
    let text = file::read(&path)
        .map_err(|error| Failure::refused(format!("cannot read {shown}: {error}")))?;
    let read = assignments(&text)
        .map_err(|(line, wrong)| Failure::refused(format!("{shown}:{line}: {wrong}")))?;
    for assignment in read {
        if env::var_os(assignment.name).is_none_or(|value| value.is_empty()) {
            dotenvy::from_read_override(encoded(&assignment).as_bytes()).map_err(|_| {
                Failure::refused(format!("cannot set {} of {shown}", assignment.name))
            })?;
        }
    }
    Ok(())
}

/// The path for messages: as short as it is from here.
fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// The assignments of the text, or the number of the first wrong line and its mistake.
/// The message never shows the value, because it may be a secret.
fn assignments(text: &str) -> Result<Vec<Assignment<'_>>, (usize, String)> {
    let mut found = vec![];
    let mut lines: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = number + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let assignment = assignment(line).map_err(|wrong| (number, wrong))?;
        let (first, value) = *lines.entry(assignment.name).or_insert((number, assignment.value));
        if value != assignment.value {
            let name = assignment.name;
            let wrong =
                format!("{name} has another value in line {first}: remove one of the lines");
            return Err((number, wrong));
        }
        found.push(assignment);
    }
    Ok(found)
}

/// The assignment of one line: `NAME=VALUE`, `NAME="VALUE"`, `NAME='VALUE'`, each also after `export `.
fn assignment(line: &str) -> Result<Assignment<'_>, String> {
    let rest = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, value)) = rest.split_once('=') else {
        return Err("this line has no `=`: write NAME=VALUE, or `#` before a comment".to_owned());
    };
    let name = name.trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(
            "no name of a variable stands before `=`: a name has letters, digits and `_`, \
                    and does not begin with a digit"
                .to_owned(),
        );
    }
    let value = value.trim();
    if value.contains('\0') {
        return Err(format!("the value of {name} has a NUL character, which no variable can hold"));
    }
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => Ok(Assignment { name, value: quoted(name, value, quote)? }),
        // One reader takes such a text for a comment and another one for a part of the value.
        _ if value.starts_with('#') || value.contains(" #") || value.contains("\t#") => {
            Err(format!(
                "{name} has a `#` after a space, which may be a comment or a part of the value: put \
                 the comment on a line of its own, or the value in quotes"
            ))
        }
        _ => Ok(Assignment { name, value }),
    }
}

/// The value between quotes. It ends at the first quote behind which nothing but a comment stands.
fn quoted<'t>(name: &str, value: &'t str, quote: char) -> Result<&'t str, String> {
    let inner = &value[1..];
    let ends = inner.match_indices(quote).map(|(at, _)| at);
    let is_end = |at: &usize| {
        let behind = &inner[at + 1..];
        behind.is_empty() || behind.starts_with([' ', '\t']) && behind.trim().starts_with('#')
    };
    ends.into_iter().find(is_end).map(|at| &inner[..at]).ok_or_else(|| {
        format!(
            "the value of {name} begins with {quote} and does not end with it: a value stands on one \
             line, with quotes at both ends or at none"
        )
    })
}

/// The assignment in the language of dotenvy, which sets variables of the process: nothing in it is
/// expanded.
fn encoded(assignment: &Assignment<'_>) -> String {
    let mut text = format!("{}='", assignment.name);
    for character in assignment.value.chars() {
        match character {
            '\'' => text.push_str("'\\''"),
            '\\' => text.push_str("'\\\\'"),
            other => text.push(other),
        }
    }
    text + "'\n"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_what_is_written() {
        for (line, value) in [
            ("S=pa$$word", "pa$$word"),
            ("S=\"pa$word\"", "pa$word"),
            ("S='pa${word}'", "pa${word}"),
            ("S=a\\nb", "a\\nb"),
            ("S=\"a\\\"b\"", "a\\\"b"),
            ("S=pa#word", "pa#word"),
            ("S='pa #word' # why", "pa #word"),
            ("export S = a b=c ", "a b=c"),
            ("S=`id`$(id)~*", "`id`$(id)~*"),
            ("S=", ""),
            ("S=\"\"", ""),
            ("S=it's", "it's"),
        ] {
            assert_eq!(assignment(line), Ok(Assignment { name: "S", value }), "{line}");
        }
    }

    #[test]
    fn a_line_that_sets_nothing_for_certain_is_refused_with_its_number_and_without_its_value() {
        for line in [
            "hidden",
            "=hidden",
            "9A=hidden",
            "A B=hidden",
            "S='hidden",
            "S=hidden # x",
            "S=\"hidden\" x",
            "S=#hidden",
            "S=hid\0den",
            "S=hidden\nS=other",
            "A-B=hidden",
        ] {
            let text = format!("\u{feff}# one\r\n\r\n{line}\r\n");
            let (number, wrong) = assignments(&text).unwrap_err();
            assert!((3..=4).contains(&number), "{line}: {number}");
            assert!(!wrong.contains("hid"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn the_environment_gets_what_the_file_says(value in "[^\r\n\0]*") {
            let assignment = Assignment { name: "S", value: &value };
            let text = encoded(&assignment);
            let read: Vec<_> = dotenvy::from_read_iter(text.as_bytes()).collect();
            let [Ok((name, read))] = &read[..] else { panic!("{read:?} of {text:?}") };
            prop_assert_eq!((name.as_str(), read.as_str()), ("S", value.as_str()));
        }
    }
}
