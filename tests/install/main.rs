//! An operator's own Asterisk with Debian's stock configuration: led to us, deployed to, and left as it was.

#![cfg(test)]

mod addresses;
mod cut_off;
mod doctor;
#[expect(dead_code, reason = "another area uses the rest of it")]
#[path = "../cli/host.rs"]
mod host;
mod own;
mod peer;
mod refused;
mod service;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod whole;
