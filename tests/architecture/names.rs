//! The names that a module or a block declares and imports, which can start a path in it.

use std::collections::BTreeSet;

use syn::{Fields, Ident, Item, UseTree, ext::IdentExt as _, spanned::Spanned as _};

use crate::cfg;

/// Rust's three kinds of name: a module, a function and a macro may share one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Namespace {
    /// Modules, types and traits.
    Type,
    /// Functions, constants, and the constructors of structs.
    Value,
    /// Macros.
    Macro,
}

impl Namespace {
    /// All three kinds of name.
    pub(crate) const ALL: [Self; 3] = [Self::Type, Self::Value, Self::Macro];
}

/// One leaf of a `use`, such as `Scope` of `use crate::{policy::Scope, text};`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// The name that the rest of the module uses; `*` for all names.
    pub(crate) binding: String,
    /// The imported path, from `crate`, `self`, `super`, a name in scope, or another crate.
    /// A path that begins with `::` has an empty first segment.
    pub(crate) path: Vec<String>,
    /// The line of the leaf.
    pub(crate) line: usize,
}

/// The names of one scope.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The items that are defined in this scope.
    pub(crate) items: BTreeSet<(Namespace, String)>,
    /// The imports of single names.
    pub(crate) imports: Vec<Import>,
    /// The imports with `*`.
    pub(crate) globs: Vec<Import>,
    /// The name by which `extern crate self as name;` calls this crate.
    pub(crate) crate_alias: Option<String>,
    /// Whether a macro is called between the items, because a macro may define more names.
    pub(crate) has_macro_calls: bool,
}

impl Names {
    /// Collects the names of these items.
    pub(crate) fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut names = Self::default();
        for item in items {
            if !cfg::is_test_only(cfg::of_item(item)) {
                names.add(item);
            }
        }
        names
    }

    /// Whether an item of this name is defined in this scope.
    pub(crate) fn defines(&self, name: &str) -> bool {
        Namespace::ALL.iter().any(|&space| self.items.contains(&(space, name.to_owned())))
    }

    fn add(&mut self, item: &Item) {
        use Namespace::{Macro, Type, Value};
        let (spaces, ident): (&[Namespace], _) = match item {
            Item::Const(item) => (&[Value], &item.ident),
            Item::Enum(item) => (&[Type], &item.ident),
            Item::Fn(item) => (&[Value], &item.sig.ident),
            Item::Static(item) => (&[Value], &item.ident),
            Item::Struct(item) if matches!(item.fields, Fields::Named(_)) => (&[Type], &item.ident),
            Item::Struct(item) => (&[Type, Value], &item.ident),
            Item::Trait(item) => (&[Type], &item.ident),
            Item::TraitAlias(item) => (&[Type], &item.ident),
            Item::Type(item) => (&[Type], &item.ident),
            Item::Union(item) => (&[Type], &item.ident),
            Item::Macro(item) => {
                let Some(ident) = &item.ident else {
                    self.has_macro_calls = true;
                    return;
                };
                (&[Macro], ident)
            }
            Item::ExternCrate(item) if item.ident == "self" => {
                self.crate_alias = item.rename.as_ref().map(|(_, name)| plain(name));
                return;
            }
            Item::Use(item) => {
                let path = if item.leading_colon.is_some() { vec![String::new()] } else { vec![] };
                self.import(path, &item.tree);
                return;
            }
            _ => return,
        };
        self.items.extend(spaces.iter().map(|&space| (space, plain(ident))));
    }

    fn import(&mut self, mut path: Vec<String>, tree: &UseTree) {
        let line = tree.span().start().line;
        match tree {
            UseTree::Path(tree) => {
                path.push(plain(&tree.ident));
                self.import(path, &tree.tree);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(path.clone(), tree);
                }
            }
            UseTree::Glob(_) => self.globs.push(Import { binding: "*".to_owned(), path, line }),
            UseTree::Name(leaf) => {
                if leaf.ident != "self" {
                    path.push(plain(&leaf.ident));
                }
                let binding = path.last().cloned().unwrap_or_default();
                self.imports.push(Import { binding, path, line });
            }
            UseTree::Rename(leaf) => {
                if leaf.ident != "self" {
                    path.push(plain(&leaf.ident));
                }
                self.imports.push(Import { binding: plain(&leaf.rename), path, line });
            }
        }
    }
}

/// An identifier without the `r#` that lets a keyword be a name.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}
