//! The deploy engine on a FusionPBX: its tables in a real PostgreSQL, and a FreeSWITCH with FusionPBX's handler and cache.

#![cfg(test)]

mod behind_our_back;
mod brought_in;
mod calls;
mod changes;
mod choices;
mod conflicts;
mod cut;
mod deploys;
mod drift;
mod faults;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../support/freeswitch/mod.rs"]
mod freeswitch;
mod full_disk;
#[path = "../support/fusionpbx/mod.rs"]
mod fusionpbx;
mod lives;
mod locked;
mod many;
mod moved;
mod not_brought_in;
mod past_calls;
mod past_calls_at_once;
mod past_calls_kept;
mod past_calls_world;
mod past_links;
mod past_rows;
mod proof;
mod race;
mod relay;
mod renamed;
mod silence;
#[path = "../support/mod.rs"]
mod support;
mod switched_off;
mod taken;
mod tested;
mod world;
