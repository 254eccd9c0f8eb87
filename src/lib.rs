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
pub mod monitor;
pub mod outbox;
pub mod render;
pub mod store;
pub mod telemetry;
pub mod wire;
