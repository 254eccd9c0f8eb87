//! The rules of the source tree: who may import whom, what a file looks like, and that the architecture page is true.

#[cfg(test)]
#[path = "architecture/audited.rs"]
mod audited;
#[cfg(test)]
#[path = "architecture/begun.rs"]
mod begun;
#[cfg(test)]
#[path = "architecture/files.rs"]
mod files;
#[cfg(test)]
#[path = "architecture/fixtures.rs"]
mod fixtures;
#[cfg(test)]
#[path = "architecture/layers.rs"]
mod layers;
#[cfg(test)]
#[path = "architecture/page.rs"]
mod page;
#[cfg(test)]
#[path = "architecture/references.rs"]
mod references;
#[cfg(test)]
#[path = "architecture/tokens.rs"]
mod tokens;
#[cfg(test)]
#[path = "architecture/tree.rs"]
mod tree;
