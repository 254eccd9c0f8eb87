//! The service's files as systemd's own tools read them, and what the built program tells a service manager.

#![cfg(test)]

mod files;
mod notify;
mod root;
mod unit;
