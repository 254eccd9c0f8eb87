//! The deploy engine on a FusionPBX: its tables in a real PostgreSQL, and a FreeSWITCH with FusionPBX's handler and cache.

#![cfg(test)]

mod deploys;
#[path = "../support/freeswitch/mod.rs"]
mod freeswitch;
#[path = "../support/fusionpbx/mod.rs"]
mod fusionpbx;
#[path = "../support/mod.rs"]
mod support;
mod world;
