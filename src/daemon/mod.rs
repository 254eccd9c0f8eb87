//! The running daemon: the only place that knows all parts and puts them together.

pub mod lifecycle;
pub mod listener;
pub mod private_pbx;
mod supervisor;
pub mod tasks;
