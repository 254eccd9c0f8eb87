//! The deploy engine: from what the database holds to what the running PBX is proven to serve, or back.

pub mod error;
pub mod expectation;
pub mod fragments;
pub mod plan;
pub mod validate;
