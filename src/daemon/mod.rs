//! The running daemon: the only place that knows all parts and puts them together.

pub mod lifecycle;
pub mod listener;
mod supervisor;
pub mod tasks;
