//! Finds paths in the tokens of a macro call, because only the macro itself can parse its tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::names::plain;

/// A path as it stands in the source.
#[derive(Debug)]
pub(crate) struct Written {
    /// The segments; a path that begins with `::` has an empty first segment.
    pub(crate) segments: Vec<String>,
    /// Whether `(` or `!` follows, because local variables are rarely called.
    pub(crate) is_called: bool,
    /// The line of the first segment.
    pub(crate) line: usize,
}

/// All paths in `tokens`, in source order.
pub(crate) fn paths(tokens: TokenStream) -> Vec<Written> {
    let mut found = Vec::new();
    collect(tokens, &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<Written>) {
    let trees: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        let start = at;
        at += 1;
        match &trees[start] {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Ident(first) if !is_member(&trees, start) => {
                let mut segments = vec![plain(first)];
                while is_colons(&trees, at)
                    && let Some(TokenTree::Ident(next)) = trees.get(at + 2)
                {
                    segments.push(plain(next));
                    at += 3;
                }
                if start >= 2 && is_colons(&trees, start - 2) {
                    segments.insert(0, String::new());
                }
                let is_called = match trees.get(at) {
                    Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
                    Some(TokenTree::Punct(mark)) => mark.as_char() == '!',
                    _ => false,
                };
                found.push(Written { segments, is_called, line: first.span().start().line });
            }
            _ => {}
        }
    }
}

/// Whether the tokens at `at` are `::`.
fn is_colons(trees: &[TokenTree], at: usize) -> bool {
    is_mark(trees, at, ':') && is_mark(trees, at + 1, ':')
}

/// Whether the token at `at` is a field or a method, because it follows a single dot.
fn is_member(trees: &[TokenTree], at: usize) -> bool {
    at >= 1 && is_mark(trees, at - 1, '.') && !(at >= 2 && is_mark(trees, at - 2, '.'))
}

fn is_mark(trees: &[TokenTree], at: usize, mark: char) -> bool {
    matches!(trees.get(at), Some(TokenTree::Punct(found)) if found.as_char() == mark)
}
