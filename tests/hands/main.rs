//! Many hands: two daemons and a stream of commands, all real processes, at work on one real Asterisk.

#![cfg(test)]

mod hand;
mod killed;
mod nodes;
mod office;
mod outcome;
#[path = "../support/mod.rs"]
mod support;
mod together;
mod unfinished;
mod watch;
