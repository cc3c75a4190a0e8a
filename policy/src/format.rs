//! Formats `policy.toml` (`policy fmt`) in one layout, so that a review sees only changes of access.
//!
//! Tables and keys are put in the order of the policy's shape. The entries of `[scopes]` and
//! `[tools]` keep their order, because authors group them. The `=` of neighbouring entries and the
//! comments behind them are aligned. Every comment stays with its entry: above it, or behind it. A file
//! keeps its line ends, because a checkout may choose them.

use toml_edit::{Array, Decor, DocumentMut, InlineTable, Item, Key, RawString, Table, Value};

use super::{
    line_ends::LineEnds,
    shape::{self, TableShape, ValueKind},
};

/// The error that a text is not TOML, and so cannot be formatted.
///
/// ```
/// use scopeward_policy::format::{NotToml, format};
///
/// assert!(matches!(format("[tools"), Err(NotToml)));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the file is not TOML, so it cannot be formatted; `policy lint` says where")]
pub struct NotToml;

/// Formats the text of a policy. Formatting twice gives the same text as formatting once. The line ends
/// are those of most lines.
///
/// ```
/// use scopeward_policy::format::format;
///
/// let tidy = format("[tools]\nlook={read=\"a\"} # why\n[server]\nurl=\"http://localhost\"\n")?;
/// assert_eq!(
///     tidy,
///     "[server]\nurl = \"http://localhost\"\n\n[tools]\nlook = { read = \"a\" }  # why\n"
/// );
/// # Ok::<(), scopeward_policy::format::NotToml>(())
/// ```
pub fn format(text: &str) -> Result<String, NotToml> {
    Ok(LineEnds::of(text).written(&lay_out_all(&LineEnds::plain(text))?))
}

/// Formats a text whose lines end with `\n`.
fn lay_out_all(text: &str) -> Result<String, NotToml> {
    let mut document: DocumentMut = text.parse().map_err(|_| NotToml)?;
    let root = document.as_table_mut();
    sort(root, &shape::POLICY);
    let mut position = 0;
    for key in shape::POLICY.keys {
        let Some(item) = root.get_mut(key.name) else { continue };
        let is_aligned = matches!(
            key.takes,
            ValueKind::ByScope(_) | ValueKind::ByName(_) | ValueKind::ByLint(_)
        );
        arrange(item, &key.takes, is_aligned, &mut position);
    }
    // Unknown tables stay, behind the known ones.
    for (name, item) in root.iter_mut() {
        if !shape::POLICY.keys.iter().any(|key| key.name == name.get()) {
            place(item, &mut position);
        }
    }
    align(root, false);
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    document.set_trailing(comment_lines(&trailing, false));
    let formatted = document.to_string();
    let lines = formatted.trim_start_matches('\n').lines().map(str::trim_end);
    Ok(lines.collect::<Vec<_>>().join("\n").trim_end().to_owned() + "\n")
}

/// Orders and lays out the value of one key.
fn arrange(item: &mut Item, takes: &ValueKind, is_aligned: bool, position: &mut isize) {
    match item {
        Item::Table(table) => {
            settle(table, position);
            arrange_entries(table, takes, position);
            align(table, is_aligned);
        }
        Item::ArrayOfTables(tables) => {
            for table in tables.iter_mut() {
                settle(table, position);
                arrange_entries(table, takes, position);
                align(table, false);
            }
        }
        Item::Value(value) => lay_out(value, takes),
        Item::None => {}
    }
}

/// Orders and lays out the entries of a table.
fn arrange_entries(table: &mut Table, takes: &ValueKind, position: &mut isize) {
    match takes {
        ValueKind::Table(shape) | ValueKind::Tables(shape) => {
            sort(table, shape);
            for key in shape.keys {
                if let Some(item) = table.get_mut(key.name) {
                    arrange(item, &key.takes, false, position);
                }
            }
        }
        ValueKind::ByScope(each) | ValueKind::ByName(each) | ValueKind::ByLint(each) => {
            for (_, item) in table.iter_mut() {
                arrange(item, each, false, position);
            }
        }
        // The keys of arguments and claims stay in the author's order.
        ValueKind::Object => {
            for (_, item) in table.iter_mut() {
                arrange(item, takes, false, position);
            }
        }
        ValueKind::List(each) => arrange_entries(table, each, position),
        ValueKind::Either(several) => {
            if let Some(takes) = several.iter().find(|takes| matches!(takes, ValueKind::Table(_))) {
                arrange_entries(table, takes, position);
            }
        }
        _ => {}
    }
}

/// Puts a table at the next position, with one empty line above its comments.
fn settle(table: &mut Table, position: &mut isize) {
    table.set_position(Some(*position));
    *position += 1;
    let prefix = table.decor().prefix().and_then(RawString::as_str).unwrap_or_default();
    let prefix = comment_lines(prefix, true);
    table.decor_mut().set_prefix(prefix);
    let suffix = trailing_comment(table.decor());
    table.decor_mut().set_suffix(suffix.map(|comment| format!("  {comment}")).unwrap_or_default());
}

/// Puts an unknown table at the next position.
fn place(item: &mut Item, position: &mut isize) {
    match item {
        Item::Table(table) => settle(table, position),
        Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| settle(table, position)),
        _ => {}
    }
}

/// The comment lines above an entry, without indentation. Above them stands one empty line for a
/// table, and for another entry one if the author left any.
fn comment_lines(prefix: &str, is_table: bool) -> String {
    let had_gap = prefix.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
    let mut text = if is_table || had_gap { "\n".to_owned() } else { String::new() };
    let mut gap = false;
    for line in prefix.lines().map(str::trim) {
        if line.is_empty() {
            gap = true;
            continue;
        }
        // An empty line between two comments stays, because they are about different things.
        if gap && text.len() > 1 {
            text.push('\n');
        }
        gap = false;
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Sorts the keys of a table by its shape.
fn sort(table: &mut Table, shape: &TableShape) {
    table.sort_values_by(|one, _, other, _| rank(shape, one).cmp(&rank(shape, other)));
}

/// The rank of a key: known keys in the order of the shape, then unknown ones as they were.
fn rank(shape: &TableShape, key: &Key) -> usize {
    shape.keys.iter().position(|known| known.name == key.get()).unwrap_or(usize::MAX)
}

/// Lays out a value that is on one line. A value on several lines stays as it is, because it may have
/// comments inside.
fn lay_out(value: &mut Value, takes: &ValueKind) {
    match (&mut *value, takes) {
        (Value::InlineTable(table), ValueKind::Either(several)) => {
            if let Some(ValueKind::Table(shape)) =
                several.iter().find(|t| matches!(t, ValueKind::Table(_)))
            {
                inline(table, Some(shape));
            }
        }
        (Value::InlineTable(table), ValueKind::Table(shape)) => inline(table, Some(shape)),
        (Value::InlineTable(table), _) => inline(table, None),
        (Value::Array(array), ValueKind::Some(each) | ValueKind::List(each)) => list(array, each),
        (Value::Array(array), _) => list(array, &ValueKind::Text),
        _ => {}
    }
}

fn is_on_one_line(value: &impl ToString) -> bool {
    !value.to_string().trim().contains('\n')
}

fn inline(table: &mut InlineTable, shape: Option<&TableShape>) {
    if !is_on_one_line(table) {
        return;
    }
    if let Some(shape) = shape {
        table.sort_values_by(|one, _, other, _| rank(shape, one).cmp(&rank(shape, other)));
        for key in shape.keys {
            if let Some(value) = table.get_mut(key.name) {
                lay_out(value, &key.takes);
            }
        }
    }
    let decor = table.decor().clone();
    table.fmt();
    *table.decor_mut() = decor;
}

fn list(array: &mut Array, each: &ValueKind) {
    if !is_on_one_line(array) {
        return;
    }
    array.iter_mut().for_each(|value| lay_out(value, each));
    let decor = array.decor().clone();
    array.fmt();
    *array.decor_mut() = decor;
}

fn trailing_comment(decor: &Decor) -> Option<String> {
    let suffix = decor.suffix().and_then(RawString::as_str)?.trim();
    (!suffix.is_empty()).then(|| suffix.to_owned())
}

/// One entry of a table, measured for alignment. Widths are in characters.
struct Line {
    key: String,
    key_width: usize,
    value_width: usize,
    comment: Option<String>,
    /// Whether an empty line or a comment stands above the entry.
    begins_block: bool,
    /// Whether the value takes more than one line.
    is_long: bool,
}

/// Aligns the `=` and the comments of a table block by block. A block is a run of entries without an
/// empty line or a comment between them.
fn align(table: &mut Table, align_keys: bool) {
    let width = |text: &str| text.chars().count();
    let mut lines = vec![];
    for (name, item) in table.iter() {
        let Item::Value(value) = item else { continue };
        let Some(key) = table.key(name) else { continue };
        let prefix = key.leaf_decor().prefix().and_then(RawString::as_str).unwrap_or_default();
        let mut bare = value.clone();
        *bare.decor_mut() = Decor::new("", "");
        let text = bare.to_string();
        lines.push(Line {
            key: name.to_owned(),
            key_width: width(&key.display_repr()),
            value_width: width(&text),
            comment: trailing_comment(value.decor()),
            begins_block: prefix.contains(['\n', '#']),
            is_long: text.contains('\n'),
        });
    }
    let mut start = 0;
    while start < lines.len() {
        let rest = lines[start + 1..].iter().position(|line| line.begins_block || line.is_long);
        let is_alone = lines[start].is_long;
        let end = if is_alone { start + 1 } else { rest.map_or(lines.len(), |n| start + 1 + n) };
        set_block(table, &lines[start..end], align_keys);
        start = end;
    }
}

/// Aligns the entries of one block.
fn set_block(table: &mut Table, block: &[Line], align_keys: bool) {
    let widest = block.iter().map(|line| line.key_width).max().unwrap_or_default();
    let key_width = |line: &Line| if align_keys { widest } else { line.key_width };
    let comment_at = block
        .iter()
        .filter(|line| line.comment.is_some())
        .map(|line| key_width(line) + line.value_width)
        .max()
        .unwrap_or_default();
    for line in block {
        let Some((mut key, Item::Value(value))) = table.get_key_value_mut(&line.key) else {
            continue;
        };
        let prefix = key.leaf_decor().prefix().and_then(RawString::as_str).unwrap_or_default();
        let prefix = comment_lines(prefix, false);
        let padding = " ".repeat(key_width(line) - line.key_width + 1);
        key.leaf_decor_mut().set_prefix(prefix);
        key.leaf_decor_mut().set_suffix(padding);
        let suffix = line.comment.as_ref().map(|comment| {
            let gap = comment_at - key_width(line) - line.value_width + 2;
            format!("{}{comment}", " ".repeat(gap))
        });
        *value.decor_mut() = Decor::new(" ", suffix.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::format;
    use crate::{
        diagnostic::Source,
        diff,
        {CompiledPolicy, model::model},
    };

    const MESSY: &str = r#"

# the top
version=1
[[test]]
scopes=["a:read"] # who
can=[ "list" ]
[lint]
unused-scope="warn"  # one
idle-scope = "off"          # two
# above the tools

# and another thing
[tools]   # the rules
list={hidden=true,read="a"}# why
# a comment of its own
edit={any_of=["a:write",{all_of=["a:read","b:admin"]}],allow={SW018="it says so"}}



"other tool" = { relax = "r",
    all_of = [   # spread
      "a:read",
    ] }
[tools.third]
hidden = false
read = "a"
[scopes]
"a:read"="R"
"a:write"={implies=["a:read"],title="W"}
"b:admin"  =   {title="B"}
[server] # what
check="warn"
list="callable"
# where
url="http://localhost:3002/mcp"
  # the end
"#;

    #[test]
    fn a_messy_policy_becomes_a_tidy_one() {
        let tidy = format(MESSY).unwrap();
        insta::assert_snapshot!(tidy);
        assert_eq!(format(&tidy).unwrap(), tidy, "a second time changes nothing");
        let comments = |text: &str| {
            let mut found: Vec<String> = text
                .lines()
                .filter_map(|line| Some(line.split_once('#')?.1.trim().to_owned()))
                .collect();
            found.sort();
            found
        };
        assert_eq!(comments(MESSY), comments(&tidy), "no comment is lost");
        let values = |text: &str| toml::from_str::<toml::Value>(text).unwrap();
        assert_eq!(values(MESSY), values(&tidy), "no value is changed");
    }

    #[test]
    fn the_former_name_of_the_server_table_stands_in_the_same_place() {
        let text = "version = 1\n[tools]\n[[resource.also]]\n[resource]\n[scopes]\n";
        let headers = "version = 1\n\n[resource]\n\n[[resource.also]]\n\n[scopes]\n\n[tools]\n";
        assert_eq!(format(text).unwrap(), headers);
    }

    #[test]
    fn arguments_of_a_test_stay_with_their_test_in_every_form() {
        let text = "version = 1\n\
            [[test]]\ncan=[{arguments={b=1,a=[2]},tool=\"x\"}, \"y\"]\nclaims={sub=\"ada\"}\nscopes=[]\n\
            [[test.cannot]]\ntool = \"x\"\n[test.cannot.arguments]\nn = 1\n[test.cannot.arguments.deep]\nn = 2\n\
            [[test.cannot]]\ntool = \"x\"\n[test.cannot.arguments]\nn = 3\n\
            [[test]]\nscopes = []\ncan = []\n[test.arguments]\nn = 4\n[test.claims]\nsub = \"bob\"\n\
            [tools]\nx = { read = \"a\" }\n";
        let tidy = format(text).unwrap();
        let values = |text: &str| toml::from_str::<toml::Value>(text).unwrap();
        assert_eq!(values(text), values(&tidy), "{tidy}");
        assert_eq!(format(&tidy).unwrap(), tidy);
        let first = "scopes = []\nclaims = { sub = \"ada\" }\n\
                     can = [{ tool = \"x\", arguments = { b = 1, a = [2] } }, \"y\"]\n";
        assert!(tidy.contains(first), "{tidy}");
    }

    #[test]
    fn a_file_keeps_its_line_ends_and_its_byte_order_mark() {
        let tidy = format(MESSY).unwrap();
        for mark in ["", "\u{feff}"] {
            for end in ["\n", "\r\n"] {
                let with = |text: &str| mark.to_owned() + &text.replace('\n', end);
                assert_eq!(format(&with(MESSY)).unwrap(), with(&tidy));
                assert_eq!(format(&with(&tidy)).unwrap(), with(&tidy));
            }
        }
        let mixed = tidy.replacen('\n', "\r\n", 2);
        assert_eq!(format(&mixed).unwrap(), tidy, "most lines end with a line feed alone");
    }

    #[test]
    fn a_text_that_is_not_toml_is_refused() {
        assert!(format("[scopes").is_err());
        assert_eq!(format("").unwrap(), "\n");
    }

    proptest! {
        #[test]
        fn the_layout_changes_no_access(model in model(), cut in 0_usize..40) {
            // Comments and empty lines are put between the lines and behind them.
            let text: Vec<String> = model.text().lines().enumerate().map(|(number, line)| {
                match (number + cut) % 4 {
                    0 => format!("{line} # {number}"),
                    1 => format!("\n# {number}\n{line}"),
                    _ => line.to_owned(),
                }
            }).collect();
            let text = text.join("\n");
            let tidy = format(&text).unwrap();
            prop_assert_eq!(&format(&tidy).unwrap(), &tidy);
            let compile = |text: &str| CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap();
            prop_assert!(diff::compare(&compile(&text), &compile(&tidy)).is_empty());
            prop_assert_eq!(text.matches('#').count(), tidy.matches('#').count());
        }
    }
}
