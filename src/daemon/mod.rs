//! The running daemon: the only place that knows all parts and puts them together.

mod auto_deploy;
mod crowd;
pub mod database;
pub mod demo;
pub mod deploy_worker;
pub mod doctor;
mod drivers;
pub mod forgetting;
pub mod identity;
mod impatient;
mod instance_checks;
pub mod key_file;
pub mod lifecycle;
pub mod listener;
pub mod mail;
pub mod own_pbx;
pub mod parts;
pub mod password_resets;
pub mod private_pbx;
pub mod service;
pub mod settings;
mod supervisor;
pub mod tasks;
mod template_watch;
pub mod templates;
mod tenant_upkeep;
pub mod unit;
