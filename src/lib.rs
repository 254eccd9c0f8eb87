//! Switchyard.

pub mod wire;
