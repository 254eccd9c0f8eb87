//! The rows of the route table, by section.

use super::route::routes;
use super::{Route, Shared};
use crate::auth::permission::Access::{self, Public};
use crate::auth::permission::Permission::{ConfigDeploy, ConfigRead, ConfigWrite};
use crate::http::api::{deployment_events, deployments, extensions};
use crate::http::{docs, health};

use Access::Tenant;

/// What needs a secret while the server has no key, or the wrong one.
const SEALED: [&str; 2] = ["sealing_key_missing", "sealing_key_wrong"];

pub(super) fn service() -> Vec<Route<Shared>> {
    routes! {
        get "/healthz", Public => health::live, "Says that the process answers";
        get "/readyz", Public => health::ready, "Says whether the service can do its work";
        get "/api/openapi.json", Public => docs::document, "This description";
        get "/api/docs", Public => docs::page, "This description, for people";
        get "/api/docs/{file}", Public => docs::file, "A part of that page";
    }
}

pub(super) fn extensions() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/extensions", Tenant(ConfigRead) => extensions::index, "Lists extensions";
        post "/api/v1/extensions", Tenant(ConfigWrite), audits "extension.create" => extensions::create,
            "Makes an extension, and shows its secrets this once", 409 ["taken"], 503 SEALED;
        post "/api/v1/extensions/import", Tenant(ConfigWrite), audits "extension.import" => extensions::import,
            "Makes many extensions or none, and reports row by row", 503 SEALED;
        get "/api/v1/extensions/{id}", Tenant(ConfigRead) => extensions::show, "Shows an extension";
        patch "/api/v1/extensions/{id}", Tenant(ConfigWrite), audits "extension.change" => extensions::change,
            "Changes an extension by a JSON merge patch", 503 SEALED;
        delete "/api/v1/extensions/{id}", Tenant(ConfigWrite), audits "extension.delete" => extensions::delete,
            "Deletes an extension";
        post "/api/v1/extensions/{id}/reveal-secret", Tenant(ConfigWrite), audits "extension.reveal_secret"
            => extensions::reveal_secret, "Shows the secrets of an extension", 503 SEALED;
        post "/api/v1/extensions/{id}/rotate-secret", Tenant(ConfigWrite), audits "extension.rotate_secret"
            => extensions::rotate_secret, "Gives an extension a new SIP secret, and shows it this once", 503 SEALED;
    }
}

pub(super) fn deploys() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/config/plan", Tenant(ConfigDeploy) => deployments::plan,
            "Shows what a deploy would change", 503 SEALED;
        post "/api/v1/config/deploy", Tenant(ConfigDeploy), audits "config.deploy" => deployments::deploy,
            "Deploys the tenant's configuration";
        get "/api/v1/config/deployments", Tenant(ConfigDeploy) => deployments::index,
            "Lists deployments, newest first, without their stages";
        get "/api/v1/config/deployments/{id}", Tenant(ConfigDeploy) => deployments::show,
            "Shows a deployment with its stages";
        get "/api/v1/config/deployments/{id}/events", Tenant(ConfigDeploy) => deployment_events::follow,
            "Follows a deployment", 429 ["too_many_streams"];
        post "/api/v1/config/deployments/{id}/rollback", Tenant(ConfigDeploy), audits "config.rollback"
            => deployments::roll_back, "Goes back to what a deployment served", 409 ["never_live"];
        get "/api/v1/config/verify", Tenant(ConfigDeploy) => deployments::verify,
            "Asks the running PBX whether it serves what was deployed", 503 SEALED;
    }
}
