//! The HTTP API: speaks HTTP, proves who is calling, and leaves every decision to the layers below.

pub mod api;
pub mod body;
mod caller;
pub mod envelope;
mod guard;
mod headers;
pub mod health;
pub mod id;
mod idempotency;
mod if_match;
pub mod problem;
pub mod query;
pub mod routes;
mod standing;
pub mod streams;
mod trace;

#[cfg(test)]
mod tests;
