//! Reads a crate: its files, and the tree of modules that they declare.

use std::collections::BTreeMap;

use syn::{Attribute, Expr, Item, Lit, Meta};

use crate::{cfg, names};

/// The index of a module in `Tree::modules`.
pub(crate) type ModuleId = usize;

/// The crate's root module, which has no parent.
pub(crate) const ROOT: ModuleId = 0;

/// One module: a file, or a `mod x { … }` within a file.
pub(crate) struct Module {
    /// The path from the crate's root, such as `lint::render`; empty for the root.
    pub(crate) path: String,
    /// The module that declares this one.
    pub(crate) parent: Option<ModuleId>,
    /// The modules that this one declares, by name.
    pub(crate) children: BTreeMap<String, ModuleId>,
    /// The file that holds the module, as messages show it.
    pub(crate) file: String,
    /// The items, without modules and without items that exist only in tests.
    pub(crate) items: Vec<Item>,
}

/// The modules of one crate.
pub(crate) struct Tree {
    /// All modules; a parent comes before its children.
    pub(crate) modules: Vec<Module>,
    /// One message for each file that is missing or is not Rust.
    pub(crate) unread: Vec<String>,
}

/// A function that returns the text of a file, or `None` when there is no such file.
pub(crate) type TextOf<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Tree {
    /// Reads the crate whose root file is `root`, such as `policy/src/lib.rs`.
    pub(crate) fn read(root: &str, text_of: TextOf<'_>) -> Self {
        let mut tree = Self { modules: Vec::new(), unread: Vec::new() };
        let module = tree.add(None, "", root);
        match text_of(root) {
            Some(text) => tree.parse(module, &text, folder_of(root), text_of),
            None => tree.unread.push(format!("`{root}` is missing.")),
        }
        tree
    }

    /// The module itself, its parent, and so on up to the root.
    pub(crate) fn ancestors(&self, module: ModuleId) -> Vec<ModuleId> {
        std::iter::successors(Some(module), |&at| self.modules[at].parent).collect()
    }

    fn add(&mut self, parent: Option<ModuleId>, name: &str, file: &str) -> ModuleId {
        let id = self.modules.len();
        let mut path = name.to_owned();
        if let Some(parent) = parent {
            let above = &mut self.modules[parent];
            above.children.insert(name.to_owned(), id);
            if !above.path.is_empty() {
                path = format!("{}::{name}", above.path);
            }
        }
        let (children, items) = (BTreeMap::new(), Vec::new());
        self.modules.push(Module { path, parent, children, file: file.to_owned(), items });
        id
    }

    /// Parses a file as `module`. The files of its children are in `folder`.
    fn parse(&mut self, module: ModuleId, text: &str, folder: &str, text_of: TextOf<'_>) {
        match syn::parse_file(text) {
            Ok(file) => self.take(module, file.items, folder, text_of),
            Err(error) => {
                let (file, line) = (&self.modules[module].file, error.span().start().line);
                self.unread.push(format!("`{file}:{line}` is not Rust: {error}."));
            }
        }
    }

    /// Keeps the items of `module`, and reads the modules among the items.
    fn take(&mut self, module: ModuleId, items: Vec<Item>, folder: &str, text_of: TextOf<'_>) {
        for item in items {
            if cfg::is_test_only(cfg::of_item(&item)) {
                continue;
            }
            let Item::Mod(declared) = item else {
                self.modules[module].items.push(item);
                continue;
            };
            let name = names::plain(&declared.ident);
            if let Some((_, items)) = declared.content {
                let file = self.modules[module].file.clone();
                let child = self.add(Some(module), &name, &file);
                self.take(child, items, &format!("{folder}/{name}"), text_of);
                continue;
            }
            let places = match path_attribute(&declared.attrs) {
                Some(path) => vec![format!("{}/{path}", folder_of(&self.modules[module].file))],
                None => vec![format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")],
            };
            let found = places.iter().find_map(|place| Some((place, text_of(place)?)));
            let Some((file, text)) = found else {
                let (places, from) = (places.join("` or `"), &self.modules[module].file);
                self.unread
                    .push(format!("`{from}` declares `mod {name};`, but has no `{places}`."));
                continue;
            };
            let child = self.add(Some(module), &name, file);
            self.parse(child, &text, &format!("{folder}/{name}"), text_of);
        }
    }
}

/// The folder of a file.
fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

/// The value of `#[path = "…"]`, if the attribute is there.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &pair.value else { return None };
        let Lit::Str(text) = &literal.lit else { return None };
        pair.path.is_ident("path").then(|| text.value())
    })
}
