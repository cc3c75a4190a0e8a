//! Counts the elements and the nesting of a JSON text before anything is built from it.
//!
//! A value in memory takes many times the bytes of its text: `[0,0,…]` has an element in two bytes,
//! and each becomes some seventy bytes, several times over. So a body is bounded by its elements as
//! well as by its bytes.

use super::Limit;

/// The most levels of lists and objects of one body. `serde_json` reads 128 and no more.
const DEEPEST: usize = 100;
/// The size of a text, in bytes, up to which its nesting is left to `serde_json`.
const SMALL: usize = 4 * 1024;

/// Checks that a JSON text has at most `most` members and items, and is not nested too deeply. A text
/// that is not JSON is counted all the same.
pub(super) fn check(most: usize, text: &[u8]) -> Result<(), Limit> {
    // Each element takes at least a byte, and a small text is nested within what `serde_json` reads, or
    // not read at all. So most bodies need no counting.
    if text.len() <= most.min(SMALL) {
        return Ok(());
    }
    let (mut count, mut depth) = (0_usize, 0_usize);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                count += 1;
                depth += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => count += 1,
            b'"' => skip_string(&mut bytes),
            _ => continue,
        }
        if count > most {
            return Err(Limit::Elements);
        }
        if depth > DEEPEST {
            return Err(Limit::Nesting);
        }
    }
    Ok(())
}

/// Skips the rest of a string, after its first quotation mark.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The number of members and items of a value, and one for each list and object.
    fn elements(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(|item| 1 + elements(item)).sum::<usize>(),
            Value::Object(members) => {
                1 + members.values().map(|value| 1 + elements(value)).sum::<usize>()
            }
            _ => 0,
        }
    }

    #[test]
    fn commas_in_strings_are_not_counted() {
        let text = br#"{"a":",,,,,[[[\",,,\\","b":[1,2]}"#;
        assert_eq!(check(3, text), Err(Limit::Elements));
        assert_eq!(check(4, text), Ok(()));
    }

    #[test]
    fn brackets_in_strings_are_no_levels() {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!("{open}{}{close}", " ".repeat(SMALL))
        };
        assert_eq!(check(1_000, nested(DEEPEST).as_bytes()), Ok(()));
        assert_eq!(check(1_000, nested(DEEPEST + 1).as_bytes()), Err(Limit::Nesting));
        assert_eq!(check(1_000, format!("{:?}", nested(DEEPEST + 1)).as_bytes()), Ok(()));
        assert_eq!(check(1_000, "[".repeat(DEEPEST + 1).as_bytes()), Ok(()));
        let beside = format!("[{}0]", "[],".repeat(400));
        assert_eq!(check(1_000, beside.as_bytes()), Ok(()));
    }

    proptest! {
        /// The count is never more than there is, and at least half of it.
        #[test]
        fn the_count_is_that_of_the_value(
            value in prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), "[\",\\[\\\\a]{0,4}".prop_map(Value::from)]
                .prop_recursive(4, 60, 6, |inner| prop_oneof![
                    prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                    prop::collection::hash_map("[\",a]{0,3}", inner, 0..6)
                        .prop_map(|all| Value::Object(all.into_iter().collect())),
                ])
        ) {
            let text = value.to_string();
            let all = elements(&value);
            prop_assert_eq!(check(all, text.as_bytes()), Ok(()), "{}", text);
            if all > 1 {
                let fewer = check(all / 2 - 1, text.as_bytes());
                prop_assert_eq!(fewer, Err(Limit::Elements), "{}", text);
            }
        }
    }
}
