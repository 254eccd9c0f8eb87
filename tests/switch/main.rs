//! The simulated FreeSWITCH and the database of FusionPBX against what is known of the real ones.

#![cfg(test)]

mod cache;
mod calls;
mod contexts;
mod faults;
mod files;
#[path = "../support/freeswitch/mod.rs"]
mod freeswitch;
#[expect(dead_code, reason = "another area uses the rest of it")]
#[path = "../support/fusionpbx/mod.rs"]
mod fusionpbx;
mod phones;
mod replay;
mod rig;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod transcripts;
mod users;
mod voicemail;
