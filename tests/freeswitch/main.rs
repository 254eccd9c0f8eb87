//! The deploy engine on a FreeSWITCH without FusionPBX, which reads XML files of an operator's and of ours.

#![cfg(test)]

mod broken;
mod deploys;
mod drift;
mod faults;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../support/freeswitch/mod.rs"]
mod freeswitch;
mod includes;
mod killed;
mod lives;
mod moved;
mod notices;
#[path = "../support/plain_freeswitch.rs"]
mod plain_freeswitch;
mod rig;
#[path = "../support/mod.rs"]
mod support;
mod tested;
