//! An operator's own Asterisk with Debian's stock configuration: led to us, deployed to, and left as it was.

#![cfg(test)]

mod doctor;
#[expect(dead_code, reason = "another area uses the rest of it")]
#[path = "../cli/host.rs"]
mod host;
mod own;
mod refused;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod whole;
