//! A fault of a condition as a finding, at its place in the file.

use std::ops::Range;

use super::{ConditionFault, ConditionFix};
use crate::{
    diagnostic::{Diagnostic, Edit, Fix, Kind},
    toml_string::WrittenString,
};

/// The finding of `kind` about the condition whose string stands at `written` in the file `text`.
pub(crate) fn finding(
    kind: Kind,
    fault: ConditionFault,
    text: &str,
    written: &Range<usize>,
) -> Diagnostic {
    let string = WrittenString::read(text, written);
    let place = |range: &Range<usize>| {
        string.as_ref().map_or_else(|| written.clone(), |string| string.place(range))
    };
    let ConditionFault { message, span, label, help, fix } = fault;
    let mut found = Diagnostic::new(kind, place(&span), message).label(label);
    for help in help {
        found = found.help(help);
    }
    match fix {
        // Without the places of the characters there is nothing to replace.
        Some(ConditionFix { title, edits }) if string.is_some() => {
            let edits = edits.iter().map(|(range, put)| Edit::Text(place(range), put.clone()));
            found.fix(Fix { title, edits: edits.collect() })
        }
        Some(ConditionFix { title, .. }) => found.help(title),
        None => found,
    }
}
