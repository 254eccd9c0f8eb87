//! Switchyard provisions multi-tenant PBXs: it previews, validates, swaps atomically, and proves that the
//! *running* PBX took a configuration, or rolls back.

pub mod crypto;
pub mod deploy;
pub mod domain;
pub mod driver;
pub mod render;
pub mod store;
pub mod wire;
