//! The running daemon: the only place that knows all parts and puts them together.

pub mod key_file;
pub mod lifecycle;
pub mod listener;
pub mod private_pbx;
pub mod settings;
mod supervisor;
pub mod tasks;
