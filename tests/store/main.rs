//! The store's contract: each test runs on SQLite and on PostgreSQL and expects the same of both.

#![cfg(test)]

mod audit;
mod bench;
#[path = "../support/database.rs"]
mod database;
mod deployments;
mod extension_lists;
mod extensions;
mod generations;
mod instances;
mod leases;
mod revisions;
mod samples;
mod schema;
mod sealing;
mod stages;
mod tenants;
mod transactions;
