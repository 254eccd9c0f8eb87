//! The rows of the route table, by section.

use super::route::routes;
use super::{Route, Shared};
use crate::auth::access::Access::{Member, Own, Platform, Public, Tenant};
use crate::domain::permission::Permission::{
    AuditLogRead, BotsManage, CallsViewOwn, ConfigDeploy, ConfigRead, ConfigWrite, OrgApiKeys, OrgBilling,
    OrgSettingsRead, OrgSettingsWrite, UsersAssignRole, UsersCreate as UsersInvite, UsersDelete, UsersList,
};
use crate::domain::permission::PlatformPermission::{Audit, Managers, UsersCreate, UsersRead, UsersWrite};
use crate::http::api::{
    api_keys, audit_log, auth, calls, deployment_events, deployments, events, extensions, invitations,
    own_tenant, password_reset, platform_users, profile, roles, users, webhooks,
};
use crate::http::{docs, health, metrics};

/// Whoever is the last of them stays.
const LAST: [&str; 2] = ["last_owner", "last_platform_manager"];

/// What needs a secret while the server has no key, or the wrong one.
const SEALED: [&str; 2] = ["sealing_key_missing", "sealing_key_wrong"];

pub(super) fn service() -> Vec<Route<Shared>> {
    routes! {
        get "/healthz", Public => health::live, "Says that the process answers";
        get "/readyz", Public => health::ready, "Says whether the service can do its work";
        get "/metrics", Public => metrics::show, "Live figures for a collector that shows the configured token",
            401 ["credentials_invalid"], 404 ["not_found"], 503 ["unavailable"];
        get "/api/openapi.json", Public => docs::document, "This description";
        get "/api/docs", Public => docs::page, "This description, for people";
        get "/api/docs/{file}", Public => docs::file, "A part of that page";
    }
}

pub(super) fn signing_in() -> Vec<Route<Shared>> {
    routes! {
        post "/api/v1/auth/user-login", Public, audits "session.begin", "user.accept_invitation", "user.link_identity"
            => auth::user_login,
            "Signs in by password, or by the token of an issuer of identities", 401 ["credentials_invalid"],
            403 ["tenant_suspended"], 429 ["too_many_failures"], 503 SEALED, 503 ["issuer_unavailable", "unavailable"];
        post "/api/v1/auth/refresh", Own, audits nothing "it shows the rights of now, and lengthens nothing"
            => auth::refresh, "Gives a token with the rights of now";
        post "/api/v1/auth/logout", Own, audits "session.end" => auth::logout,
            "Ends the session that asks", 404 ["not_found"];
        get "/api/v1/auth/sessions", Own => auth::sessions, "Lists the own sessions";
        delete "/api/v1/auth/sessions", Own, audits "session.end" => auth::end_sessions,
            "Ends all own sessions but the one that asks";
        delete "/api/v1/auth/sessions/{id}", Own, audits "session.end" => auth::end_session, "Ends an own session";
    }
}

pub(super) fn users() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/org-users/me/profile", Own => profile::show, "Shows the own profile", 404 ["not_found"];
        patch "/api/v1/org-users/me/profile", Own, audits "user.change" => profile::change,
            "Changes the own name, or replaces the contact fields as a whole", 404 ["not_found"];
        put "/api/v1/org-users/me/password", Own, audits "user.change_password" => profile::change_password,
            "Chooses another password; all other sessions end", 404 ["not_found"], 429 ["too_many_failures"], 503 SEALED;
        get "/api/v1/org-users", Tenant(UsersList) => users::index, "Lists the tenant's users";
        get "/api/v1/org-users/{id}", Tenant(UsersList) => users::show, "Shows a user";
        put "/api/v1/org-users/{id}/role", Tenant(UsersAssignRole), audits "user.assign_role" => users::assign_role,
            "Gives a user another role; they have to sign in again", 409 ["last_owner", "rank", "self_protection"];
        put "/api/v1/org-users/{id}/extension", Tenant(UsersAssignRole), audits "user.link_extension"
            => users::link_extension, "Gives a user an extension as their phone, or takes it from them",
            409 ["rank", "self_protection", "taken"];
        post "/api/v1/org-users/{id}/suspend", Tenant(UsersDelete), audits "user.suspend" => users::suspend,
            "Suspends a user, whose sessions end", 409 LAST, 409 ["bad_transition", "rank", "self_protection"];
        post "/api/v1/org-users/{id}/reactivate", Tenant(UsersDelete), audits "user.reactivate" => users::reactivate,
            "Lets a suspended user sign in again", 409 ["bad_transition", "max_users_reached", "rank", "self_protection"];
        delete "/api/v1/org-users/{id}", Tenant(UsersDelete), audits "user.delete" => users::delete,
            "Deletes a user", 409 LAST, 409 ["rank", "self_protection"];
    }
}

pub(super) fn invitations() -> Vec<Route<Shared>> {
    routes! {
        post "/api/v1/org-users/invite", Tenant(UsersInvite), audits "user.invite" => invitations::invite,
            "Invites somebody; shows the link this once where no mail goes out",
            409 ["max_users_reached", "rank", "taken"], 503 SEALED;
        post "/api/v1/org-users/{id}/invitation", Tenant(UsersInvite), audits "user.invite_again"
            => invitations::again, "Sends another link; the one before is void",
            409 ["bad_transition", "rank", "self_protection"], 503 SEALED;
        delete "/api/v1/org-users/{id}/invitation", Tenant(UsersInvite), audits "user.revoke_invitation"
            => invitations::revoke, "Takes an invitation back, and the user with it",
            409 LAST, 409 ["bad_transition", "rank", "self_protection"];
        post "/api/v1/auth/invitations/accept", Public, audits "user.accept_invitation" => invitations::accept,
            "Accepts an invitation, and signs in", 401 ["credentials_invalid"], 403 ["tenant_suspended"],
            404 ["not_found"], 429 ["too_many_failures"], 503 SEALED, 503 ["issuer_unavailable", "unavailable"];
        post "/api/v1/auth/password-reset", Public, audits "user.request_password_reset" => password_reset::request,
            "Mails a link for a new password to whoever signs in with this address", 409 ["no_mail_server"],
            429 ["too_many_failures"], 503 SEALED, 503 ["unavailable"];
        post "/api/v1/auth/password-reset/confirm", Public, audits "user.reset_password" => password_reset::confirm,
            "Takes another password; all sessions end", 403 ["tenant_suspended"], 404 ["not_found"],
            429 ["too_many_failures"], 503 SEALED, 503 ["unavailable"];
    }
}

pub(super) fn own_tenant() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/org", Tenant(OrgSettingsRead) => own_tenant::show, "Shows the own tenant";
        patch "/api/v1/org", Tenant(OrgSettingsWrite), audits "tenant.change" => own_tenant::change,
            "Changes what the tenant sets for itself";
        get "/api/v1/org/usage", Tenant(OrgBilling) => own_tenant::usage,
            "Shows what the tenant uses of what it may have";
    }
}

pub(super) fn api_keys() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/api-keys", Tenant(OrgApiKeys) => api_keys::index, "Lists the tenant's API keys, newest first";
        post "/api/v1/api-keys", Tenant(OrgApiKeys), audits "api_key.create" => api_keys::create,
            "Makes an API key, and shows the whole of it this once", 409 ["max_api_keys_reached"];
        post "/api/v1/api-keys/{id}/rotate", Tenant(OrgApiKeys), audits "api_key.rotate" => api_keys::rotate,
            "Gives an API key another secret; the one before is void", 409 ["author_inactive", "rank"];
        delete "/api/v1/api-keys/{id}", Tenant(OrgApiKeys), audits "api_key.revoke" => api_keys::revoke,
            "Revokes an API key";
    }
}

pub(super) fn roles() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/roles", Member => roles::index,
            "Lists the roles there are to give, with the platform's rights beside them";
        get "/api/v1/roles/{id}", Member => roles::show, "Shows a role";
        post "/api/v1/roles", Tenant(UsersAssignRole), audits "role.create" => roles::create,
            "Makes a role of the tenant's own", 404 ["not_found"], 409 ["max_roles_reached", "taken"];
        patch "/api/v1/roles/{id}", Tenant(UsersAssignRole), audits "role.change" => roles::change,
            "Changes a role of the tenant's own", 409 ["built_in", "rank", "taken"];
        delete "/api/v1/roles/{id}", Tenant(UsersAssignRole), audits "role.delete" => roles::delete,
            "Deletes a role of the tenant's own that nobody has", 409 ["built_in", "in_use", "rank"];
    }
}

pub(super) fn platform_users() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/platform/users", Platform(UsersRead) => platform_users::index, "Lists the users of all tenants";
        post "/api/v1/platform/users", Platform(UsersCreate), audits "user.create" => platform_users::create,
            "Makes a user who signs in by password, or invites one", 404 ["not_found"], 409 ["max_users_reached", "taken"], 503 SEALED;
        get "/api/v1/platform/users/{id}", Platform(UsersRead) => platform_users::show, "Shows a user of any tenant";
        put "/api/v1/platform/users/{id}/password", Platform(UsersWrite), audits "user.reset_password"
            => platform_users::set_password, "Gives a user another password; their sessions end",
            409 ["rank", "self_protection"], 503 SEALED;
        put "/api/v1/platform/users/{id}/platform-manager", Platform(Managers),
            audits "user.grant_platform_manager", "user.revoke_platform_manager"
            => platform_users::set_platform_manager,
            "Makes a user a platform manager, or ends that; then they have to sign in again",
            409 ["last_platform_manager", "self_protection", "tenant_required"];
    }
}

pub(super) fn extensions() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/extensions", Tenant(ConfigRead) => extensions::index, "Lists extensions";
        post "/api/v1/extensions", Tenant(ConfigWrite), audits "extension.create" => extensions::create,
            "Makes an extension, and shows its secrets this once", 409 ["max_extensions_reached", "taken"], 503 SEALED;
        post "/api/v1/extensions/import", Tenant(ConfigWrite), audits "extension.import" => extensions::import,
            "Makes many extensions or none, and reports row by row", 409 ["max_extensions_reached"], 503 SEALED;
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
            "Asks the running PBX whether it serves what was deployed", 409 ["driven_elsewhere"], 503 SEALED;
    }
}

pub(super) fn calls() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/calls/active", Tenant(CallsViewOwn) => calls::active,
            "Lists the calls that are up: all of the tenant's, or those of the own extension";
        get "/api/v1/events", Tenant(CallsViewOwn) => events::follow,
            "Follows calls, phones and deployments", 429 ["too_many_streams"];
    }
}

pub(super) fn webhooks() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/webhooks", Tenant(BotsManage) => webhooks::index, "Lists the tenant's webhooks, newest first";
        post "/api/v1/webhooks", Tenant(BotsManage), audits "webhook.create" => webhooks::create,
            "Makes a webhook, and shows its secret this once", 409 ["max_webhooks_reached"], 503 SEALED;
        get "/api/v1/webhooks/{id}", Tenant(BotsManage) => webhooks::show, "Shows a webhook, and how it goes";
        patch "/api/v1/webhooks/{id}", Tenant(BotsManage), audits "webhook.change" => webhooks::change,
            "Changes a webhook, disables it, or lets it begin anew";
        post "/api/v1/webhooks/{id}/rotate-secret", Tenant(BotsManage), audits "webhook.rotate_secret"
            => webhooks::rotate_secret, "Gives a webhook another secret; the one before signs beside it for a day", 503 SEALED;
        delete "/api/v1/webhooks/{id}", Tenant(BotsManage), audits "webhook.delete" => webhooks::delete,
            "Deletes a webhook, and what waits for it";
    }
}

pub(super) fn audit_log() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/audit-log", Tenant(AuditLogRead) => audit_log::of_tenant,
            "Lists the tenant's audit entries, newest first";
        get "/api/v1/platform/audit-log", Platform(Audit) => audit_log::of_platform,
            "Lists the audit entries of all tenants and of the platform, newest first";
    }
}
