//! Who is calling, and what they may do.

pub mod authenticator;
pub mod bootstrap;
pub mod caller;
pub mod denied;
pub mod permission;
pub mod tenants;
