//! Where the parts of a condition stand in its text.

use std::ops::Range;

use cel::{
    Program,
    common::ast::{Expr, IdedExpr},
};

/// The places of the parts of one condition. CEL counts characters, and so each is turned into a byte
/// range of the text.
pub(super) struct Places<'c> {
    text: &'c str,
    program: &'c Program,
    /// The byte offset of each character, and of the end.
    offsets: Vec<usize>,
}

impl<'c> Places<'c> {
    pub(super) fn new(text: &'c str, program: &'c Program) -> Self {
        let offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        Self { text, program, offsets }
    }

    /// The text of the condition.
    pub(super) fn text(&self) -> &'c str {
        self.text
    }

    /// Where CEL says that a part stands: a whole literal or name, or only the operator.
    fn token(&self, part: &IdedExpr) -> Option<Range<usize>> {
        let (start, stop) = self.program.source_info().offset_for(part.id)?;
        let byte = |character: usize| self.offsets.get(character).copied();
        let start = byte(start as usize)?;
        let end = byte(stop as usize + 1).unwrap_or(self.text.len());
        (start <= end).then_some(start..end)
    }

    /// The name of the field that a part selects.
    pub(super) fn field(&self, part: &IdedExpr) -> Range<usize> {
        let Expr::Select(select) = &part.expr else { return self.whole(part) };
        self.name_after(self.whole(&select.operand).end, &select.field)
    }

    /// The first place of a name at or after an offset.
    fn name_after(&self, at: usize, name: &str) -> Range<usize> {
        let rest = self.text.get(at..).unwrap_or_default();
        let start = at + rest.find(name).unwrap_or(0);
        start..(start + name.len()).min(self.text.len())
    }

    /// All of a part, with its operands.
    pub(super) fn whole(&self, part: &IdedExpr) -> Range<usize> {
        let own = self.token(part).unwrap_or(0..self.text.len());
        let join = |one: Range<usize>, other: Range<usize>| {
            one.start.min(other.start)..one.end.max(other.end)
        };
        match &part.expr {
            Expr::Select(select) => {
                let operand = self.whole(&select.operand);
                operand.start..self.name_after(operand.end, &select.field).end
            }
            Expr::Call(call) => {
                let parts = call.target.iter().map(|target| &**target).chain(&call.args);
                let range = parts.map(|part| self.whole(part)).reduce(join);
                let range = range.map_or(own.clone(), |range| join(range, own.clone()));
                // A function is written before its `(`, which is where CEL says that it stands.
                let is_function = call.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
                if !is_function {
                    let is_index = call.func_name == "_[_]";
                    let end = if is_index { self.after(range.end, ']') } else { range.end };
                    return range.start..end;
                }
                let name = own.start.saturating_sub(call.func_name.len());
                let start = if self.text.get(name..own.start) == Some(&call.func_name) {
                    range.start.min(name)
                } else {
                    range.start
                };
                start..self.after(range.end, ')')
            }
            Expr::List(list) => {
                let items = list.elements.iter().map(|item| self.whole(item));
                let range = items.fold(own, join);
                range.start..self.after(range.end, ']')
            }
            Expr::Comprehension(each) => self.whole(&each.iter_range),
            _ => own,
        }
    }

    /// The offset after the closing bracket that follows at `at`, or `at` if none follows.
    fn after(&self, at: usize, bracket: char) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let spaces = rest.len() - rest.trim_start().len();
        if rest[spaces..].starts_with(bracket) { at + spaces + 1 } else { at }
    }
}
