//! The use cases of people and programs on a real database: invitations, passwords that were forgotten, API keys, and
//! what a tenant sets for itself.

#![cfg(test)]

mod accepting;
mod changed;
mod clicks;
mod clicks_made;
mod disk_goes;
mod erasing;
mod erasing_files;
mod erasing_gone;
mod erasing_setbacks;
mod erasing_ways;
mod exported;
mod exporting;
mod exporting_calls;
mod exporting_faults;
mod exporting_persons;
mod exporting_rights;
mod exporting_setbacks;
mod exporting_sounds;
mod exporting_voicemail;
mod firebase;
mod forgotten;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../support/freeswitch/mod.rs"]
mod freeswitch;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../support/fusionpbx/mod.rs"]
mod fusionpbx;
mod gone;
mod inviting;
#[expect(dead_code, reason = "another area uses the rest of it")]
#[path = "../auth/issuer.rs"]
mod issuer;
#[expect(dead_code, reason = "another area uses the rest of it")]
#[path = "../auth/issuer_keys.rs"]
mod issuer_keys;
mod keys;
mod keys_end;
mod keys_give;
mod leaving;
mod links;
mod listening;
mod losing;
mod mail_boxes;
mod mail_disk;
mod mail_looks;
mod mail_places;
mod mailed;
mod many_calls;
mod messages;
mod old_revisions;
mod overtaken;
mod own_tenant;
mod purge_change;
mod purge_disk;
mod purge_faults;
mod purge_voicemail;
mod purge_voicemail_faults;
mod purging;
mod racing;
mod room;
mod same_work;
mod sign_ins;
#[path = "../support/mod.rs"]
mod support;
mod switched_faults;
mod switched_left;
mod switched_mail;
mod switched_messages;
mod switched_strays;
mod ticket_keys;
mod ticket_limits;
mod ticket_ways;
mod tickets;
mod unlooked;
mod world;
