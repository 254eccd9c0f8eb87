//! The repository's own files, as the rules read them.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file.
pub struct SourceFile {
    /// From the repository's root, such as `src/domain/dial.rs`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a top-level folder, by path.
pub fn rust_files(folder: &str) -> Vec<SourceFile> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    assert!(!paths.is_empty(), "no Rust file below {folder}");
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let path_text = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            SourceFile {
                text: fs::read_to_string(&path).unwrap(),
                path: path_text,
            }
        })
        .collect()
}

/// The module path of a file in `src`: `["domain", "dial"]`; empty for `src/lib.rs`.
pub fn module_of(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    let stem = inner.strip_suffix(".rs").unwrap_or(inner);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    match stem {
        "lib" => Vec::new(),
        _ => stem.split('/').map(str::to_owned).collect(),
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
