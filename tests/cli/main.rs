//! The built program as an operator calls it, on real databases and a real Asterisk.

#![cfg(test)]

mod admins;
mod asterisk;
mod asterisk_surfaces;
mod audit;
mod auto_deploys;
mod clock;
mod database;
mod deploys;
mod errors;
mod extensions;
#[expect(dead_code, unused_imports, reason = "the area of the rig uses all of it")]
#[path = "../support/fusionpbx/mod.rs"]
mod fusionpbx;
mod host;
mod import;
mod instance_changes;
mod instances;
mod invites;
mod ordinary_user;
mod pbx_import;
mod readme;
mod secrets;
mod serve;
#[path = "../support/mod.rs"]
mod support;
mod template_edits;
mod templates;
mod tenant_lives;
mod tenants;
