//! Finds where a name is defined, through any number of re-exports.

use std::collections::BTreeSet;

use crate::{
    names::{Import, Names, Namespace},
    source::{ModuleId, ROOT, Tree},
};

/// The target of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A module of this crate.
    Module(ModuleId),
    /// An item: the module that defines the item, and the item's name there.
    Item(ModuleId, String),
    /// Another crate, a primitive type, or a name that only an expanded macro would show.
    Outside,
}

/// A crate whose names can be looked up.
pub(crate) struct Resolver<'a> {
    /// The modules.
    pub(crate) tree: &'a Tree,
    /// The names of each module, at the module's index.
    pub(crate) names: Vec<Names>,
}

/// One look-up.
#[derive(Default)]
struct Search {
    /// The names that are being looked up, so that imports in a circle end.
    open: Vec<(ModuleId, String, Namespace)>,
    /// Whether a module that calls a macro between its items is assumed to define every name.
    guess: bool,
}

impl<'a> Resolver<'a> {
    /// Collects the names of all modules.
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree, names: tree.modules.iter().map(|module| Names::of(&module.items)).collect() }
    }

    /// All targets of `path` in `module`, because a name may be a module and a function at once.
    /// A name that no file defines belongs to the module in which it is looked up, because a macro
    /// there must define it.
    pub(crate) fn all(&self, module: ModuleId, path: &[String]) -> Vec<Target> {
        let in_all = |guess| -> Vec<_> {
            let spaces = Namespace::ALL.iter();
            let found = spaces.filter_map(|&space| {
                self.path(module, path, space, &mut Search { guess, ..Search::default() })
            });
            found.collect::<BTreeSet<_>>().into_iter().collect()
        };
        let mut targets = in_all(false);
        if targets.is_empty() {
            targets = in_all(true);
        }
        if let ([], [above @ .., last]) = (targets.as_slice(), path)
            && let Some(Target::Module(owner)) = self.module_or_type(module, above)
        {
            targets.push(Target::Item(owner, last.clone()));
        }
        targets
    }

    /// The target of `path` in `module` when more segments follow the path.
    pub(crate) fn module_or_type(&self, module: ModuleId, path: &[String]) -> Option<Target> {
        self.path(module, path, Namespace::Type, &mut Search::default())
    }

    /// The target of `name` through the import `glob`, which is written in `module`.
    pub(crate) fn through_glob(
        &self,
        module: ModuleId,
        glob: &Import,
        name: &str,
    ) -> Option<Target> {
        let Target::Module(source) = self.module_or_type(module, &glob.path)? else { return None };
        Namespace::ALL
            .iter()
            .find_map(|&space| self.name(source, name, space, &mut Search::default()))
            .filter(|target| matches!(target, Target::Item(..)))
    }

    fn path(
        &self,
        module: ModuleId,
        path: &[String],
        space: Namespace,
        search: &mut Search,
    ) -> Option<Target> {
        let space_at = |rest: &[String]| if rest.is_empty() { space } else { Namespace::Type };
        let (first, mut rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(ROOT),
            "self" => Target::Module(module),
            "super" => Target::Module(self.tree.modules[module].parent?),
            "" => {
                let (name, after) = rest.split_first()?;
                rest = after;
                self.other_crate(name)
            }
            name => match self.name(module, name, space_at(rest), search) {
                Some(target) => target,
                None if path.len() == 1 && space != Namespace::Type => return None,
                None => self.other_crate(name),
            },
        };
        while let (Target::Module(at), Some((name, after))) = (&target, rest.split_first()) {
            target = if name == "super" {
                Target::Module(self.tree.modules[*at].parent?)
            } else {
                let by_macro = search.guess && self.names[*at].has_macro_calls;
                let guess = || by_macro.then(|| Target::Item(*at, name.clone()));
                self.name(*at, name, space_at(after), search).or_else(guess)?
            };
            rest = after;
        }
        Some(target)
    }

    /// The target of the crate name `name`: this crate if `name` is its alias, else another crate.
    fn other_crate(&self, name: &str) -> Target {
        let alias = self.names.first().and_then(|names| names.crate_alias.as_deref());
        if alias == Some(name) { Target::Module(ROOT) } else { Target::Outside }
    }

    /// The target of `name` among the names of `module`.
    fn name(
        &self,
        module: ModuleId,
        name: &str,
        space: Namespace,
        search: &mut Search,
    ) -> Option<Target> {
        let question = (module, name.to_owned(), space);
        if search.open.contains(&question) {
            return None;
        }
        if space == Namespace::Type
            && let Some(&child) = self.tree.modules[module].children.get(name)
        {
            return Some(Target::Module(child));
        }
        let names = &self.names[module];
        if names.items.contains(&(space, name.to_owned())) {
            return Some(Target::Item(module, name.to_owned()));
        }
        search.open.push(question);
        let imported = names
            .imports
            .iter()
            .filter(|import| import.binding == name)
            .find_map(|import| self.path(module, &import.path, space, search));
        let found = imported.or_else(|| {
            names.globs.iter().find_map(|glob| {
                match self.path(module, &glob.path, Namespace::Type, search)? {
                    Target::Module(source) => self.name(source, name, space, search),
                    Target::Item(..) | Target::Outside => None,
                }
            })
        });
        search.open.pop();
        found
    }
}
