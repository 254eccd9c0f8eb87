//! The rows of the route table that are about what is kept, and for how long.

use super::route::routes;
use super::{Route, Shared};
use crate::auth::access::Access::Tenant;
use crate::domain::permission::Permission::{ComplianceRead, ComplianceWrite, DataErasure, DataExport};
use crate::http::api::{compliance, erasures};

pub(super) fn compliance() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/compliance/retention", Tenant(ComplianceRead) => compliance::retention,
            "Shows for how long the tenant keeps what it has";
        put "/api/v1/compliance/retention", Tenant(ComplianceWrite), audits "compliance.set_retention"
            => compliance::set_retention, "Says of all kinds for how long they are kept";
        get "/api/v1/compliance/consent", Tenant(ComplianceRead) => compliance::consent,
            "Shows who is told that a call is recorded, and by which sound";
        put "/api/v1/compliance/consent", Tenant(ComplianceWrite), audits "compliance.set_consent"
            => compliance::set_consent, "Says who is told that a call is recorded, and by which sound";
        post "/api/v1/compliance/purge", Tenant(ComplianceWrite), audits "compliance.purge" => compliance::purge,
            "Removes what is older than it is kept, or counts it", 409 ["in_use"];
        get "/api/v1/compliance/purges", Tenant(ComplianceRead) => compliance::purges,
            "Lists purges, newest first, without their parts";
        get "/api/v1/compliance/purges/{id}", Tenant(ComplianceRead) => compliance::purge_report,
            "Shows what a purge has removed, kind by kind";
        post "/api/v1/compliance/exports", Tenant(DataExport), audits "data.export" => compliance::export,
            "Exports all that the tenant has, or what it has of a person, as a tar file", 429 ["too_many_exports"];
        get "/api/v1/compliance/erasure-requests", Tenant(DataErasure) => erasures::erasures,
            "Lists erasures, newest first, without their parts";
        post "/api/v1/compliance/erasure-requests", Tenant(DataErasure), audits "data.erasure" => erasures::request,
            "Looks for what the tenant has of a person, to be erased", 429 ["too_many_searches"];
        get "/api/v1/compliance/erasure-requests/{id}", Tenant(DataErasure) => erasures::find,
            "Shows what was found of a person, and what became of it";
        post "/api/v1/compliance/erasure-requests/{id}/run", Tenant(DataErasure), audits "data.erasure_run" => erasures::run,
            "Erases what was found of a person", 409 ["changed_since", "done", "forgotten", "in_use", "last_owner", "rank", "self_protection"];
        get "/api/v1/compliance/erasure-requests/{id}/certificate", Tenant(DataErasure) => erasures::certificate,
            "Certifies what was erased of a person, and what was not", 409 ["not_run", "running", "not_certified"];
    }
}
