//! The API end to end: the real service on a socket, with either database, asked by somebody who has read the contract.

#![cfg(test)]

mod audit;
mod changing;
mod client;
mod creating;
mod deploys;
mod events;
mod hostile;
mod idempotency;
mod importing;
mod isolation;
mod keys;
mod listing;
mod methods;
mod order;
mod parallel;
mod random;
mod secrets;
mod server;
mod sse;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod versions;
