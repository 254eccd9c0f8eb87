//! Persistence: one module of plain functions per resource, on SQLite or PostgreSQL as the URL says.
//!
//! Every function takes the transaction it works in, so the caller decides what belongs together:
//!
//! ```text
//! let mut tx = store.begin("create_extension").await?;
//! extensions::insert(&mut tx, &extension, &secrets).await?;
//! audit::append(&mut tx, &entry, salt)?;
//! tx.commit().await?;
//! ```
//!
//! What belongs to a tenant is found by that tenant's id and its own: another tenant's row is absent.

mod audit_adoption;
mod audit_row;
mod database;
mod deployment_events;
mod error;
mod handle;
mod row;
mod schema;
mod singles;
mod statement;
mod tx;
mod url;

pub mod api_keys;
pub mod audit;
pub mod audit_chain;
pub mod audit_of_person;
pub mod audit_retention;
pub mod call_counts;
pub mod call_gaps;
pub mod call_records;
pub mod deployment_history;
pub mod deployments;
pub mod domains;
pub mod erasure_ends;
pub mod erasure_finds;
pub mod erasure_rows;
pub mod erasure_targets;
pub mod erasure_whole;
pub mod erasures;
pub mod exports;
pub mod extension_secrets;
pub mod extensions;
pub mod generations;
pub mod idempotency_keys;
pub mod instance_checks;
pub mod instances;
pub mod leases;
pub mod one_time_tokens;
pub mod outbox;
pub mod platform_figures;
pub mod platform_tenants;
pub mod purge_files;
pub mod purge_messages;
pub mod purge_rows;
pub mod purges;
pub mod recorded_calls;
pub mod recordings;
pub mod retention;
pub mod revisions;
pub mod roles;
pub mod sealing_keys;
pub mod served;
pub mod sessions;
pub mod stages;
pub mod template_sets;
pub mod tenant_lifecycle;
pub mod tenant_overviews;
pub mod tenant_records;
pub mod tenant_settings;
pub mod tenants;
pub mod ticket_comments;
pub mod ticket_lists;
pub mod tickets;
pub mod trusted_time;
pub mod user_counts;
pub mod user_lists;
pub mod users;
pub mod voicemail;
pub mod webhook_queue;
pub mod webhook_turns;
pub mod webhooks;

pub use database::Database;
pub use error::StoreError;
pub use handle::Store;
pub use schema::{SchemaStatus, SchemaVersion};
pub use statement::Statement;
pub use tx::Tx;
pub use url::DatabaseUrl;

/// Every statement of the program, for the proof that the database understands each.
#[must_use]
pub fn statements() -> Vec<&'static Statement> {
    [
        api_keys::STATEMENTS,
        audit::STATEMENTS,
        audit_chain::STATEMENTS,
        audit_of_person::STATEMENTS,
        audit_retention::STATEMENTS,
        call_counts::STATEMENTS,
        call_gaps::STATEMENTS,
        call_records::STATEMENTS,
        deployment_history::STATEMENTS,
        deployments::STATEMENTS,
        domains::STATEMENTS,
        erasure_ends::STATEMENTS,
        erasure_finds::STATEMENTS,
        erasure_rows::STATEMENTS,
        erasure_targets::STATEMENTS,
        erasure_whole::STATEMENTS,
        erasures::STATEMENTS,
        exports::STATEMENTS,
        extension_secrets::STATEMENTS,
        extensions::STATEMENTS,
        generations::STATEMENTS,
        idempotency_keys::STATEMENTS,
        instance_checks::STATEMENTS,
        instances::STATEMENTS,
        leases::STATEMENTS,
        one_time_tokens::STATEMENTS,
        outbox::STATEMENTS,
        platform_figures::STATEMENTS,
        platform_tenants::STATEMENTS,
        purge_files::STATEMENTS,
        purge_messages::STATEMENTS,
        purge_rows::STATEMENTS,
        purges::STATEMENTS,
        recorded_calls::STATEMENTS,
        recordings::STATEMENTS,
        retention::STATEMENTS,
        revisions::STATEMENTS,
        roles::STATEMENTS,
        sealing_keys::STATEMENTS,
        served::STATEMENTS,
        sessions::STATEMENTS,
        stages::STATEMENTS,
        template_sets::STATEMENTS,
        tenant_lifecycle::STATEMENTS,
        tenant_overviews::STATEMENTS,
        tenant_records::STATEMENTS,
        tenant_settings::STATEMENTS,
        tenants::STATEMENTS,
        ticket_comments::STATEMENTS,
        ticket_lists::STATEMENTS,
        tickets::STATEMENTS,
        trusted_time::STATEMENTS,
        user_counts::STATEMENTS,
        user_lists::STATEMENTS,
        users::STATEMENTS,
        voicemail::STATEMENTS,
        webhook_queue::STATEMENTS,
        webhook_turns::STATEMENTS,
        webhooks::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .collect()
}
