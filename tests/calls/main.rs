//! Live calls against real PBXs: what is told is what the PBX says, or says that it may not be.

#![cfg(test)]

mod asterisk_counts;
mod asterisk_hearing;
mod asterisk_links;
mod asterisk_phones;
mod asterisk_records;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../support/freeswitch/mod.rs"]
mod freeswitch;
mod halves;
mod instances;
mod keeper;
mod kept;
mod listening;
mod past;
mod proxy;
mod rig;
mod scripted;
#[path = "../support/mod.rs"]
mod support;
mod switch;
mod switch_links;
