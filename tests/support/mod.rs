//! What the areas that test against real parts share.

pub mod ami;
pub mod bench;
pub mod pbx;
pub mod tenants;
pub mod wait;
