//! The whole API under requests that others' tools draw from its own document, with answers held to that document.

#[cfg(test)]
mod document;
#[cfg(test)]
mod schemathesis;
#[cfg(test)]
mod service;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tools;
