//! What the areas that test against real parts share.

#![expect(dead_code, reason = "each area uses the part of it that it needs")]

pub mod ami;
pub mod bench;
pub mod contract;
pub mod database;
pub mod demo;
pub mod media;
pub mod pbx;
pub mod phone;
pub mod sipp;
pub mod stock;
pub mod tenants;
pub mod wait;
