//! The store's contract: each test runs on SQLite and on PostgreSQL and expects the same of both.

#![cfg(test)]

mod api_keys;
mod audit;
mod audit_adopted;
mod audit_blanked;
mod audit_chain;
mod audit_erased;
mod audit_retained;
mod call_parts;
mod call_plans;
mod call_records;
mod calls_of_a_number;
mod deploy_plans;
mod deployments;
mod domain_tenures;
mod erasure_calls;
mod erasure_ends;
mod erasure_finds;
mod erasure_payloads;
mod erasure_plans;
mod erasure_rows;
mod erasure_seen;
mod erasure_targets;
mod erasure_whole;
mod erasures;
mod export_pages;
mod export_plans;
mod exports;
mod extension_lists;
mod extensions;
mod generations;
mod idempotency_keys;
mod instances;
mod landmarks;
mod leases;
mod one_time_tokens;
mod outbox;
mod purge_files;
mod purge_plans;
mod purges;
mod recordings;
mod recordings_seen;
mod revision_plans;
mod revisions;
mod revisions_go;
mod samples;
mod schema;
mod sealing;
mod served;
mod stages;
#[path = "../support/mod.rs"]
mod support;
mod tenant_overviews;
mod tenant_settings;
mod tenants;
mod ticket_people;
mod ticket_plans;
mod tickets;
mod transactions;
mod trusted_time;
mod users;
mod voicemail;
mod webhook_plans;

use support::database as bench;
