//! Pages of a list that depends on the caller (MCP, "Pagination").
//!
//! A cursor holds the name of the last item of a page, not a number of items, so that the next page
//! is right even if the list has changed in the meantime. The caller has already been shown that
//! name.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rmcp::{ErrorData, model::Cursor};

/// The most items of one page, so that a long list does not make one huge answer.
const SIZE: usize = 1_000;
/// The text that a cursor begins with before it is encoded, so that other texts are refused.
const AFTER: &str = "after ";

/// Returns the page after the cursor, and the cursor of the next page if items are left. `items`
/// must be sorted by name.
pub(super) fn page<T>(
    items: Vec<T>,
    cursor: Option<&str>,
    name: impl Fn(&T) -> &str,
) -> Result<(Vec<T>, Option<Cursor>), ErrorData> {
    let start = match cursor {
        None => 0,
        Some(cursor) => {
            let after =
                read(cursor).ok_or_else(|| ErrorData::invalid_params("Invalid cursor", None))?;
            items.partition_point(|item| name(item) <= after.as_str())
        }
    };
    let mut rest: Vec<T> = items.into_iter().skip(start).take(SIZE + 1).collect();
    let has_more = rest.len() > SIZE;
    rest.truncate(SIZE);
    let last = rest.last().filter(|_| has_more);
    let next = last.map(|last| URL_SAFE_NO_PAD.encode(format!("{AFTER}{}", name(last))));
    Ok((rest, next))
}

/// The name that a cursor holds; `None` if the cursor was not made here.
fn read(cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(AFTER).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_together_are_the_list() {
        let all: Vec<String> = (0..2_500).map(|n| format!("t{n:04}")).collect();
        let (mut seen, mut cursor, mut pages) = (vec![], None, 0);
        loop {
            let (items, next) = page(all.clone(), cursor.as_deref(), |name: &String| name).unwrap();
            seen.extend(items);
            pages += 1;
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!((seen, pages), (all, 3));
    }

    #[test]
    fn a_page_is_right_after_the_list_has_changed() {
        let all = |left_out: usize| -> Vec<String> {
            (0..1_500).filter(|n| *n != left_out).map(|n| format!("t{n:04}")).collect()
        };
        let (_, next) = page(all(9_999), None, |name: &String| name).unwrap();
        // Removes once the item that the cursor names, and once an item before it.
        for gone in [999, 3] {
            let (items, next) = page(all(gone), next.as_deref(), |name: &String| name).unwrap();
            assert_eq!((items.first().map(String::as_str), items.len()), (Some("t1000"), 500));
            assert_eq!(next, None);
        }
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        for made_up in ["", "x", "made-up", "%", "YWZ0ZXI", "dDEwMDA", &"A".repeat(10_000)] {
            assert!(page(vec!["a"], Some(made_up), |name| name).is_err(), "{made_up}");
        }
    }
}
