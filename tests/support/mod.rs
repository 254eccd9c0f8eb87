//! What the areas that test against real parts share.

pub mod ami;
pub mod bench;
pub mod media;
pub mod pbx;
pub mod sipp;
pub mod tenants;
pub mod wait;
