//! The running daemon: the only place that knows all parts and puts them together.

pub mod private_pbx;
