//! The rows of the route table for the platform's own managers, by section.

use super::route::routes;
use super::{Route, Shared};
use crate::auth::access::Access::Platform;
use crate::domain::permission::PlatformPermission::{
    Dashboard, InstancesDeploy, InstancesRead, InstancesTest, InstancesWrite, TenantsCreate, TenantsDelete,
    TenantsRead, TenantsSuspend, TenantsWrite, UsersDelete, UsersWrite,
};
use crate::http::api::{dashboard, instances, platform_user_changes, tenants};

/// What needs a secret while the server has no key, or the wrong one.
const SEALED: [&str; 2] = ["sealing_key_missing", "sealing_key_wrong"];

pub(super) fn glance() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/platform/dashboard", Platform(Dashboard) => dashboard::show, "Shows the platform at a glance";
    }
}

pub(super) fn tenants() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/platform/tenants", Platform(TenantsRead) => tenants::index,
            "Lists tenants, with what is counted of each";
        post "/api/v1/platform/tenants", Platform(TenantsCreate), audits "tenant.create" => tenants::create,
            "Makes a tenant and invites its owner", 409 ["taken"], 503 SEALED;
        get "/api/v1/platform/tenants/{id}", Platform(TenantsRead) => tenants::show, "Shows a tenant";
        patch "/api/v1/platform/tenants/{id}", Platform(TenantsWrite), audits "tenant.change" => tenants::change,
            "Changes a tenant's name, domain, PBX, limits and settings", 409 ["bad_transition", "taken"];
        post "/api/v1/platform/tenants/{id}/suspend", Platform(TenantsSuspend), audits "tenant.suspend"
            => tenants::suspend, "Suspends a tenant; its phones may do what its policy says",
            409 ["bad_transition", "last_platform_manager"];
        post "/api/v1/platform/tenants/{id}/reactivate", Platform(TenantsSuspend), audits "tenant.reactivate"
            => tenants::reactivate, "Lets a suspended tenant work again", 409 ["bad_transition"];
        get "/api/v1/platform/tenants/{id}/deletion-preview", Platform(TenantsDelete) => tenants::preview_deletion,
            "Counts what would go with a tenant";
        delete "/api/v1/platform/tenants/{id}", Platform(TenantsDelete), audits "tenant.delete" => tenants::delete,
            "Deletes a suspended tenant for good, once no PBX serves it any more",
            409 ["bad_transition", "confirmation_mismatch", "must_suspend_first", "platform_managers_inside"];
    }
}

pub(super) fn user_changes() -> Vec<Route<Shared>> {
    routes! {
        patch "/api/v1/platform/users/{id}", Platform(UsersWrite), audits "user.change"
            => platform_user_changes::change, "Changes a user of any tenant",
            409 ["bad_transition", "last_owner", "last_platform_manager", "max_users_reached", "rank", "self_protection", "taken"];
        put "/api/v1/platform/users/{id}/tenant", Platform(UsersWrite), audits "user.move"
            => platform_user_changes::set_tenant, "Has a user work for another tenant; they have to sign in again",
            409 ["last_owner", "last_platform_manager", "max_users_reached", "rank", "self_protection"];
        delete "/api/v1/platform/users/{id}", Platform(UsersDelete), audits "user.delete"
            => platform_user_changes::delete, "Deletes a user of any tenant",
            409 ["last_owner", "last_platform_manager", "rank", "self_protection"];
    }
}

pub(super) fn instances() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/platform/pbx-instances", Platform(InstancesRead) => instances::index, "Lists PBX instances";
        post "/api/v1/platform/pbx-instances", Platform(InstancesWrite), audits "instance.create"
            => instances::create, "Adds a PBX instance; nothing is deployed to it yet", 404 ["not_found"],
            409 ["config_dir_taken", "database_taken", "taken"], 503 SEALED;
        post "/api/v1/platform/pbx-instances/test", Platform(InstancesTest), audits "instance.test_new"
            => instances::test_new, "Tests what is to be a PBX instance of this host", 409 ["driven_elsewhere"];
        get "/api/v1/platform/pbx-instances/{id}", Platform(InstancesRead) => instances::show, "Shows a PBX instance";
        patch "/api/v1/platform/pbx-instances/{id}", Platform(InstancesWrite), audits "instance.change"
            => instances::change, "Changes how a PBX instance is reached; it hears of it with its next deploy",
            409 ["config_dir_taken", "database_taken", "taken"], 503 SEALED;
        delete "/api/v1/platform/pbx-instances/{id}", Platform(InstancesWrite), audits "instance.delete"
            => instances::delete, "Deletes a PBX instance that serves no tenant", 409 ["in_use"];
        post "/api/v1/platform/pbx-instances/{id}/give-up", Platform(InstancesWrite), audits "instance.give_up"
            => instances::give_up, "Deletes a PBX instance whose host is gone for good, without asking its PBX",
            409 ["confirmation_mismatch", "in_use"];
        post "/api/v1/platform/pbx-instances/{id}/test", Platform(InstancesTest), audits "instance.test"
            => instances::test, "Tests connection, rights and paths of a PBX instance", 409 ["driven_elsewhere"],
            503 SEALED;
        get "/api/v1/platform/pbx-instances/{id}/checks", Platform(InstancesRead) => instances::checks,
            "Shows what the newest tests of a PBX instance found";
        get "/api/v1/platform/pbx-instances/{id}/plan", Platform(InstancesDeploy) => instances::plan,
            "Shows what a deploy of all its tenants would change", 503 SEALED;
        post "/api/v1/platform/pbx-instances/{id}/deploy", Platform(InstancesDeploy), audits "instance.deploy"
            => instances::deploy, "Deploys all tenants of a PBX instance, with its templates and settings";
        get "/api/v1/platform/pbx-instances/{id}/deployments", Platform(InstancesDeploy) => instances::deployments,
            "Lists the deployments of a PBX instance, newest first, without their stages";
        get "/api/v1/platform/pbx-instances/{id}/verify", Platform(InstancesDeploy) => instances::verify,
            "Asks a running PBX whether it serves what was deployed", 409 ["driven_elsewhere"], 503 SEALED;
        get "/api/v1/platform/deployments/{id}", Platform(InstancesDeploy) => instances::show_deployment,
            "Shows a deployment of any tenant with its stages";
    }
}
