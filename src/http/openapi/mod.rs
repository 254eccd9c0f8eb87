//! The API described as an OpenAPI 3.1 document, made from the route table and from the types of its handlers.

pub mod document;
pub mod operation;
pub(super) mod problems;
pub(super) mod schemas;
pub mod shape;
