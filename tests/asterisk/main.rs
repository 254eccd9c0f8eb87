//! The driver and the private PBX against a real Asterisk.

#[cfg(test)]
mod live;
#[cfg(test)]
mod private_pbx;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
