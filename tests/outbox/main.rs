//! The outbox against a mail server: what is written in a transaction arrives, whatever fails in between.

#![cfg(test)]

mod claims;
mod daemon;
mod faults;
mod hooked;
#[expect(dead_code, reason = "another area uses the rest of it")]
#[path = "../cli/host.rs"]
mod host;
mod hostile;
mod posting;
mod secrets;
mod sending;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod webhook_calls;
mod webhook_daemon;
mod webhook_events;
mod webhook_faults;
mod webhook_harm;
mod webhook_shares;
mod webhook_tls;
mod webhooks;
mod world;
