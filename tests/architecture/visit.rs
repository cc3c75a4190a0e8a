//! Finds the paths in the items of a module, without items that exist only in tests.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Arm, Attribute, Block, Expr, ExprCall, Field, FieldValue, ImplItem, Item, Lit, Macro, Meta,
    Path, Stmt, TraitItem, Variant, Visibility,
    visit::{self, Visit},
};

use crate::{
    arrows::Walk,
    cfg,
    names::{self, Names},
    tokens::{self, Written},
};

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_path(&mut self, path: &'ast Path) {
        self.take(&written(path, false));
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(callee) = &*call.func {
            self.take(&written(&callee.path, true));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.take(&written(&call.path, true));
        take_tokens(self, call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        visit::visit_attribute(self, attribute);
        if let Meta::List(list) = &attribute.meta {
            take_tokens(self, list.tokens.clone());
            // String literals count, because Serde and clap take functions as text:
            // `#[serde(with = "crate::scope::text")]`.
            for token in list.tokens.clone() {
                if let TokenTree::Literal(literal) = token
                    && let Lit::Str(text) = Lit::new(literal)
                    && let Ok(path) = text.parse::<Path>()
                {
                    self.take(&written(&path, true));
                }
            }
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let items = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item),
            Stmt::Local(_) | Stmt::Expr(..) | Stmt::Macro(_) => None,
        });
        let names = Names::of(items);
        self.take_imports(&names);
        self.blocks.push(names);
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_item(&mut self, item: &'ast Item) {
        // `use` is skipped, because imports are collected with the names of their scope. A module
        // within a block is not followed.
        if !matches!(item, Item::Use(_) | Item::Mod(_)) && !cfg::is_test_only(cfg::of_item(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if !cfg::is_test_only(cfg::of_statement(statement)) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !cfg::is_test_only(cfg::of_impl_item(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !cfg::is_test_only(cfg::of_trait_item(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !cfg::is_test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !cfg::is_test_only(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_field_value(&mut self, value: &'ast FieldValue) {
        if !cfg::is_test_only(&value.attrs) {
            visit::visit_field_value(self, value);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !cfg::is_test_only(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    /// Skips visibilities, because `pub(in crate::gate)` names a module above and does not use it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// Converts a path of the syntax tree to the form of [`tokens::paths`].
fn written(path: &Path, is_called: bool) -> Written {
    let start = path.leading_colon.map(|_| String::new());
    let segments = path.segments.iter().map(|segment| names::plain(&segment.ident));
    let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
    Written { segments: start.into_iter().chain(segments).collect(), is_called, line }
}

/// Takes the paths among the tokens of a macro call or of an attribute.
fn take_tokens(walk: &mut Walk<'_>, tokens: TokenStream) {
    for path in tokens::paths(tokens) {
        walk.take(&path);
    }
}
