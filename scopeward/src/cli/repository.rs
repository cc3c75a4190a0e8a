//! The repository that a file belongs to.

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

/// The path of a file from the root of its Git repository, or else from `GITHUB_WORKSPACE`, with `/`
/// between its parts; `None` if the file is in neither.
pub(super) fn path_inside(path: &Path) -> Option<String> {
    // Not the file itself, because a symbolic link is annotated at its own place.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
    let root = folder.ancestors().find(|folder| folder.join(".git").exists());
    let root = root.map(PathBuf::from).or_else(workspace)?;
    let inside = folder.strip_prefix(root).ok()?.join(path.file_name()?);
    let parts = inside.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    Some(parts.collect::<Vec<_>>().join("/"))
}

fn workspace() -> Option<PathBuf> {
    let named = env::var_os("GITHUB_WORKSPACE").filter(|named| !named.is_empty())?;
    fs::canonicalize(named).ok()
}
