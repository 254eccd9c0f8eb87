//! Switchyard provisions multi-tenant PBXs: it previews, validates, swaps atomically, and proves that the
//! *running* PBX took a configuration, or rolls back.

pub mod auth;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod http;
pub mod telemetry;
