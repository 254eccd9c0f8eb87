//! The API end to end: the real service on a socket, with either database, asked by somebody who has read the contract.

#![cfg(test)]

mod api_keys;
mod audit;
mod audit_log;
mod audited;
mod audited_people;
mod audited_platform;
mod audited_users;
mod bodies;
mod call_records;
mod changing;
mod client;
mod compliance;
mod consent;
mod cors;
mod creating;
mod deploys;
mod erasures;
mod erasures_refused;
mod events;
mod exports;
mod freeswitch;
mod fusionpbx;
mod glance;
mod guards;
mod hostile;
mod idempotency;
mod idempotency_everywhere;
mod importing;
mod inviting;
mod isolation;
#[expect(dead_code, reason = "another area uses the rest of it")]
#[path = "../auth/issuer.rs"]
mod issuer;
#[expect(dead_code, reason = "another area uses the rest of it")]
#[path = "../auth/issuer_keys.rs"]
mod issuer_keys;
mod issuers;
mod keys;
mod last_manager;
mod listing;
mod live_calls;
mod live_events;
mod live_figures;
mod made_domains;
mod methods;
mod order;
mod own_tenant;
mod parallel;
mod pending;
mod people;
mod phones;
mod platform;
mod platform_people;
mod proxied;
mod races;
mod races_of_limits;
mod races_of_rights;
mod races_of_tenants;
mod random;
mod recordings;
mod recordings_left;
mod revoked;
mod secrets;
mod server;
mod sign_in;
mod slow_readers;
mod sse;
#[path = "../support/mod.rs"]
mod support;
mod tickets;
mod versions;
mod versions_of_all;
mod webhooks;
