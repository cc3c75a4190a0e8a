//! The table in parts, one for each prefix of scopes, because a table with a column for each of many
//! scopes fits no terminal.

use std::fmt::Write;

use super::{Effect, Matrix, Row};

/// The widest line, in characters.
pub(super) const WIDTH: usize = 100;

/// The part of a scope's name before its first `:`, `.` or `/`.
pub(super) fn prefix(scope: &str) -> &str {
    scope.split([':', '.', '/']).next().unwrap_or(scope)
}

/// The rows under the prefix of the first scope that does something for them. Of each row only the
/// scopes that do something are named.
pub(super) fn grouped(matrix: &Matrix<'_>) -> String {
    let mut groups: Vec<(&str, Vec<&Row<'_>>)> = vec![];
    for row in &matrix.rows {
        let first = row.cells.iter().position(|cell| cell.does_something());
        let group = first.and_then(|at| matrix.columns.get(at)).map_or("", |scope| prefix(scope));
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((group, vec![row])),
        }
    }
    let mut text = String::new();
    for (group, rows) in groups {
        let title =
            if group.is_empty() { "no scope is needed, or none does anything" } else { group };
        let _ = writeln!(text, "  {title}");
        let widest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).min(40);
        for row in rows {
            list(&mut text, &format!("    {:widest$}", row.name), widest + 4, matrix, row);
        }
        text.push('\n');
    }
    text
}

/// Writes the marks and scopes of one row, on as many lines as they need.
fn list(text: &mut String, name: &str, indent: usize, matrix: &Matrix<'_>, row: &Row<'_>) {
    let shown = matrix.columns.iter().zip(&row.cells).filter(|(_, cell)| cell.does_something());
    let all = row.cells.iter().all(|cell| cell.effect == Effect::Enough);
    let words: Vec<String> = if all && !row.cells.is_empty() {
        vec!["● any caller, with any of these scopes".to_owned()]
    } else {
        shown.map(|(scope, cell)| format!("{} {scope}", cell.mark())).collect()
    };
    let mut line = name.to_owned();
    for word in words {
        if line.chars().count() + 2 + word.chars().count() > WIDTH
            && line.trim().len() > name.trim().len()
        {
            let _ = writeln!(text, "{}", line.trim_end());
            line = " ".repeat(indent);
        }
        line.push_str("  ");
        line.push_str(&word);
    }
    let _ = writeln!(text, "{}", line.trim_end());
}
