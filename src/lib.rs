//! Switchyard provisions multi-tenant PBXs: it previews, validates, swaps atomically, and proves that the
//! *running* PBX took a configuration, or rolls back.

pub mod daemon;
pub mod domain;
pub mod driver;
pub mod render;
pub mod wire;
