//! Who is calling, and what they may do.

pub mod access;
pub mod authenticator;
pub mod caller;
pub mod denied;
pub mod directory;
mod jwt;
pub mod key_holder;
pub mod oidc;
pub mod password;
pub mod password_check;
pub mod throttle;
pub mod token;
