//! The API end to end: the real service on a socket, with either database, asked by somebody who has read the contract.

#![cfg(test)]

mod audit;
mod changing;
mod client;
mod creating;
mod deploys;
mod hostile;
mod importing;
mod isolation;
mod listing;
mod methods;
mod order;
mod parallel;
mod random;
mod secrets;
mod server;
#[path = "../support/mod.rs"]
mod support;
