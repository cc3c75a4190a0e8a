//! Checks one crate against all rules.

use crate::{
    arrows, cycles, rooms,
    source::{TextOf, Tree},
};

/// One message for each mistake in the modules of a crate. `root` is the crate's root file,
/// relative to the workspace.
pub(crate) fn findings(root: &str, text_of: TextOf<'_>) -> Vec<String> {
    let tree = Tree::read(root, text_of);
    let arrows = arrows::of(&tree);
    let mut findings = cycles::find(&tree, &arrows);
    if root == rooms::CRATE {
        findings.extend(rooms::find(&tree, &arrows));
    }
    findings.extend(tree.unread);
    findings
}
