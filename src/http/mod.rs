//! The HTTP API: speaks HTTP, proves who is calling, and leaves every decision to the layers below.

pub mod answer;
pub mod api;
pub mod archive;
pub mod body;
mod caller;
pub mod cors;
mod docs;
pub mod envelope;
mod events;
pub mod forwarded;
mod guard;
mod headers;
pub mod health;
pub mod id;
mod idempotency;
mod if_match;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod query;
pub mod reference;
pub mod routes;
mod sound;
mod standing;
pub mod streams;
mod trace;
