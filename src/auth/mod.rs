//! Who is calling, and what they may do.

pub mod authenticator;
pub mod bootstrap;
pub mod caller;
pub mod denied;
mod jwt;
pub mod oidc;
pub mod password;
pub mod password_check;
pub mod permission;
pub mod tenants;
pub mod throttle;
pub mod token;
