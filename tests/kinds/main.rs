//! One contract of drivers, held to by every kind of PBX: the same steps and the same promises, whatever stands behind.

#![cfg(test)]

mod asterisk;
mod contract;
mod digests;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../support/freeswitch/mod.rs"]
mod freeswitch;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../support/fusionpbx/mod.rs"]
mod fusionpbx;
mod going;
mod many_hands;
mod moves;
#[expect(dead_code, reason = "the area of the kind uses all of it")]
#[path = "../support/plain_freeswitch.rs"]
mod plain_freeswitch;
mod rig;
mod setbacks;
#[path = "../support/mod.rs"]
mod support;
mod switches;
