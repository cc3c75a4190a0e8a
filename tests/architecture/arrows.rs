//! The arrows between the modules of a crate: each place where one module names an item of another.
//!
//! Calls of methods and the expansions of macros are not seen, because only a compiler resolves
//! them.

use std::collections::BTreeSet;

use syn::visit::Visit as _;

use crate::{
    names::{Import, Names},
    resolve::{Resolver, Target},
    source::{ModuleId, Tree},
    tokens::Written,
};

/// A use of one module's item by another module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    /// The module that uses the name.
    pub(crate) from: ModuleId,
    /// The module that defines the name.
    pub(crate) to: ModuleId,
    /// The line of the import, or of the path if nothing imports it.
    pub(crate) line: usize,
    /// The name that is taken; `None` for a module itself, or for all of its names.
    pub(crate) name: Option<String>,
}

/// All arrows of a crate, without those that stay within one module.
pub(crate) fn of(tree: &Tree) -> BTreeSet<Arrow> {
    let resolver = Resolver::new(tree);
    let mut arrows = BTreeSet::new();
    for (module, source) in tree.modules.iter().enumerate() {
        let mut walk = Walk::new(&resolver, module);
        walk.take_imports(&resolver.names[module]);
        for item in &source.items {
            walk.visit_item(item);
        }
        arrows.extend(walk.finish());
    }
    arrows
}

/// A walk over the items of one module.
pub(crate) struct Walk<'a> {
    resolver: &'a Resolver<'a>,
    module: ModuleId,
    /// The names of the blocks around the place where the walk stands, the innermost last.
    pub(crate) blocks: Vec<Names>,
    arrows: Vec<Arrow>,
    /// The arrows of imports of whole modules, each with the name that the import binds.
    modules: Vec<(Arrow, String)>,
    /// The imports of modules that a path began with, by line and name.
    used: BTreeSet<(usize, String)>,
}

impl<'a> Walk<'a> {
    fn new(resolver: &'a Resolver<'a>, module: ModuleId) -> Self {
        let (blocks, arrows, modules, used) = Default::default();
        Self { resolver, module, blocks, arrows, modules, used }
    }

    /// Returns the arrows that were found. A module that is imported only to reach its re-exports
    /// gets no arrow.
    fn finish(self) -> impl Iterator<Item = Arrow> {
        let Self { arrows, modules, used, .. } = self;
        let modules = modules
            .into_iter()
            .filter(move |(arrow, binding)| !used.contains(&(arrow.line, binding.clone())));
        let all = arrows.into_iter().chain(modules.map(|(arrow, _)| arrow));
        all.filter(|arrow| arrow.from != arrow.to)
    }

    /// Points the arrows of the imports among `names`.
    pub(crate) fn take_imports(&mut self, names: &Names) {
        for import in names.imports.iter().chain(&names.globs) {
            let targets = self.resolver.all(self.module, &import.path);
            if let [Target::Module(to)] = targets[..] {
                let arrow = Arrow { from: self.module, to, line: import.line, name: None };
                self.modules.push((arrow, import.binding.clone()));
            } else {
                self.point_at(targets, import.line);
            }
        }
    }

    /// Points an arrow at each item of `targets`, and at a module if there is no item.
    fn point_at(&mut self, targets: Vec<Target>, line: usize) {
        let has_item = targets.iter().any(|target| matches!(target, Target::Item(..)));
        for target in targets {
            let (to, name) = match target {
                Target::Item(to, name) => (to, Some(name)),
                Target::Module(to) if !has_item => (to, None),
                Target::Module(_) | Target::Outside => continue,
            };
            self.arrows.push(Arrow { from: self.module, to, line, name });
        }
    }

    /// Takes a path in code.
    pub(crate) fn take(&mut self, path: &Written) {
        let Some(first) = path.segments.first() else { return };
        let is_single = path.segments.len() == 1;
        if let Some(import) = self.import_of(first) {
            // The import of an item already has its arrow. The import of a module gets one here.
            let whole: Vec<_> = import.path.iter().chain(&path.segments[1..]).cloned().collect();
            let imported = self.resolver.module_or_type(self.module, &import.path);
            if !is_single && matches!(imported, Some(Target::Module(_))) {
                self.point_at(self.resolver.all(self.module, &whole), import.line);
                self.used.insert((import.line, import.binding));
            }
        } else if self.blocks.iter().any(|names| names.defines(first)) {
            // A block around the path declares the name, so the path stays within the module.
        } else if is_single {
            // Only names that are called or begin in uppercase count, because other names may be
            // local variables.
            if path.is_called || first.starts_with(char::is_uppercase) {
                self.take_through_globs(first);
            }
        } else if !self.take_through_globs(first) {
            self.point_at(self.resolver.all(self.module, &path.segments), path.line);
        }
    }

    /// The import that gives `name` its meaning, from the innermost block outwards.
    fn import_of(&self, name: &str) -> Option<Import> {
        let module = &self.resolver.names[self.module];
        let scopes = self.blocks.iter().rev().chain([module]);
        scopes.flat_map(|names| &names.imports).find(|import| import.binding == name).cloned()
    }

    /// Points an arrow at the item that an import of all names brings in as `name`, if one does.
    fn take_through_globs(&mut self, name: &str) -> bool {
        let module = &self.resolver.names[self.module];
        let children = &self.resolver.tree.modules[self.module].children;
        if module.defines(name) || children.contains_key(name) {
            return false;
        }
        let scopes = self.blocks.iter().rev().chain([module]);
        let found = scopes.flat_map(|names| &names.globs).find_map(|glob| {
            Some((self.resolver.through_glob(self.module, glob, name)?, glob.line))
        });
        let Some((target, line)) = found else { return false };
        self.point_at(vec![target], line);
        true
    }
}
