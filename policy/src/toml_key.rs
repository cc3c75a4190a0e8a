//! Names as keys of TOML.

/// A name as a TOML key, in quotes if it needs them.
pub(crate) fn toml_key(name: &str) -> String {
    toml_edit::Key::new(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::toml_key;

    #[test]
    fn a_key_is_read_back_as_the_name() {
        for name in ["list_todos", "todo:read", "", "a\"b\\c", "é\u{7}", "x y"] {
            let text = format!("{} = 1", toml_key(name));
            let document: toml_edit::DocumentMut = text.parse().unwrap();
            assert_eq!(document.iter().next().unwrap().0, name);
        }
        assert_eq!(toml_key("list_todos"), "list_todos");
    }
}
