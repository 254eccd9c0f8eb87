//! Switchyard provisions multi-tenant PBXs: it previews, validates, swaps atomically, and proves that the
//! *running* PBX took a configuration, or rolls back.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod daemon;
pub mod deploy;
pub mod domain;
pub mod driver;
pub mod http;
pub mod outbox;
pub mod render;
pub mod store;
pub mod telemetry;
pub mod wire;

// Rows are made in the thread of their connection and dropped in another. With the C library's allocator that took half of
// the time of a request for a page; it stands here so that tests and benches have the daemon's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
