//! What the areas that test against real parts share.

#![expect(dead_code, reason = "each area uses the part of it that it needs")]

pub mod ami;
pub mod bench;
pub mod board;
pub mod certificates;
pub mod clock;
pub mod contract;
pub mod cut;
pub mod database;
pub mod demo;
pub mod host;
pub mod media;
pub mod mounts;
pub mod operator;
pub mod pbx;
pub mod phone;
pub mod receiver;
pub mod scan;
pub mod server;
pub mod sign_in;
pub mod sipp;
pub mod smtp;
pub mod stock;
pub mod suspension;
pub mod tenants;
pub mod victim;
pub mod wait;
pub mod world;
