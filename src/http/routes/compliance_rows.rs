//! The rows of the route table that are about what is kept, and for how long.

use super::route::routes;
use super::{Route, Shared};
use crate::auth::access::Access::Tenant;
use crate::domain::permission::Permission::{ComplianceRead, ComplianceWrite, DataExport};
use crate::http::api::compliance;

pub(super) fn compliance() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/compliance/retention", Tenant(ComplianceRead) => compliance::retention,
            "Shows for how long the tenant keeps what it has";
        put "/api/v1/compliance/retention", Tenant(ComplianceWrite), audits "compliance.set_retention"
            => compliance::set_retention, "Says of all kinds for how long they are kept";
        post "/api/v1/compliance/purge", Tenant(ComplianceWrite), audits "compliance.purge" => compliance::purge,
            "Removes what is older than it is kept, or counts it", 409 ["in_use"];
        get "/api/v1/compliance/purges", Tenant(ComplianceRead) => compliance::purges,
            "Lists purges, newest first, without their parts";
        get "/api/v1/compliance/purges/{id}", Tenant(ComplianceRead) => compliance::purge_report,
            "Shows what a purge has removed, kind by kind";
        post "/api/v1/compliance/exports", Tenant(DataExport), audits "data.export" => compliance::export,
            "Exports all that the tenant has, or what it has of a person, as a tar file", 429 ["too_many_exports"];
    }
}
