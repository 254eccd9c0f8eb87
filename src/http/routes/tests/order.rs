//! The order of checks: 401, 403, 404, 400/413/415, 422; an earlier one hides all later ones.

use axum::http::Request;
use rstest::rstest;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::auth::access::{Access, Act};
use crate::auth::caller::Caller;
use crate::domain::permission::{Permission, PlatformPermission};
use crate::http::body::Body;
use crate::http::id::Id;
use crate::http::problem::Problem;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    name: String,
}

/// As the handlers of the API do it: find what the path names, then read the body.
async fn change(caller: Caller, Id(id): Id<TenantId>, body: Body<Change>) -> Result<String, Problem> {
    caller.tenant(Permission::ConfigWrite, Act::Change)?;
    if id != ACTIVE {
        return Err(Problem::not_found());
    }
    Ok(body.read().await?.name)
}

async fn read(caller: Caller) -> Result<String, Problem> {
    let tenant = caller.tenant(Permission::ConfigRead, Act::Read)?;
    Ok(tenant.to_string())
}

async fn anything(_: Caller) -> String {
    String::new()
}

fn guarded() -> Router {
    let routes = vec![
        Route::get("/things", Access::Tenant(Permission::ConfigRead), "", read),
        Route::patch(
            "/things/{id}",
            Access::Tenant(Permission::ConfigWrite),
            UNAUDITED,
            "",
            change,
        ),
        Route::get("/keys", Access::Tenant(Permission::OrgApiKeys), "", anything),
        Route::delete(
            "/keys/{id}",
            Access::Tenant(Permission::OrgApiKeys),
            UNAUDITED,
            "",
            anything,
        ),
        Route::post(
            "/tenants",
            Access::Platform(PlatformPermission::TenantsCreate),
            UNAUDITED,
            "",
            anything,
        ),
    ];
    serve(routes, ())
}

/// A PATCH with everything right, less what a case leaves out or spoils.
struct Patch {
    token: Option<String>,
    tenant: Option<String>,
    reason: Option<&'static str>,
    id: String,
    media_type: &'static str,
    body: &'static str,
}

fn good() -> Patch {
    Patch {
        token: Some(token()),
        tenant: Some(ACTIVE.to_string()),
        reason: Some("asked by phone"),
        id: ACTIVE.to_string(),
        media_type: "application/json",
        body: r#"{"name":"x"}"#,
    }
}

fn with(spoil: impl FnOnce(&mut Patch)) -> Patch {
    let mut patch = good();
    spoil(&mut patch);
    patch
}

async fn answer(patch: Patch) -> Answer {
    let mut request =
        Request::patch(format!("/things/{}", patch.id)).header("content-type", patch.media_type);
    if let Some(token) = patch.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(tenant) = patch.tenant {
        request = request.header("x-operate-as-tenant", tenant);
    }
    if let Some(reason) = patch.reason {
        request = request.header("x-reason", reason);
    }
    ask(&guarded(), request, patch.body).await
}

#[tokio::test]
async fn with_everything_right_it_is_done() {
    assert_eq!(answer(good()).await.status, 200);
}

#[rstest]
#[case(with(|p| { p.token = None; p.tenant = Some(SUSPENDED.to_string()); }), 401, "credentials_invalid")]
#[case(with(|p| { p.token = Some("wrong".to_owned()); p.tenant = Some(UNREACHABLE.to_string()); }), 401, "credentials_invalid")]
#[case(with(|p| { p.tenant = Some(SUSPENDED.to_string()); p.id = UNKNOWN.to_string(); }), 403, "tenant_suspended")]
#[case(with(|p| { p.tenant = Some(UNKNOWN.to_string()); p.reason = None; }), 404, "not_found")]
#[case(with(|p| { p.tenant = Some("acme".to_owned()); p.reason = None; }), 404, "not_found")]
#[case(with(|p| { p.tenant = None; p.reason = None; }), 400, "tenant_required")]
#[case(with(|p| { p.id = UNKNOWN.to_string(); p.reason = None; p.body = "{"; }), 404, "not_found")]
#[case(with(|p| { p.id = "x".to_owned(); p.media_type = "text/plain"; }), 404, "not_found")]
#[case(with(|p| { p.reason = None; p.media_type = "text/plain"; p.body = "{}"; }), 400, "reason_required")]
#[case(with(|p| { p.reason = Some(" "); p.body = "{}"; }), 400, "reason_required")]
#[case(with(|p| { p.media_type = "text/plain"; p.body = "{"; }), 415, "unsupported_media_type")]
#[case(with(|p| p.body = "{"), 400, "malformed_json")]
#[case(with(|p| p.body = "{}"), 422, "invalid")]
#[tokio::test]
async fn the_first_check_that_fails_answers(#[case] patch: Patch, #[case] status: u16, #[case] code: &str) {
    assert_eq!(answer(patch).await.problem(), (status, code));
}

#[tokio::test]
async fn a40_keys_are_not_for_operators_whatever_the_id() {
    let router = guarded();
    for tenant in [None, Some(ACTIVE), Some(SUSPENDED), Some(UNKNOWN)] {
        let mut request = signed(get("/keys"));
        if let Some(tenant) = tenant {
            request = request.header("x-operate-as-tenant", tenant.to_string());
        }
        assert_eq!(
            ask(&router, request, "").await.problem(),
            (403, "permission_denied")
        );
    }
    let one = signed(Request::delete("/keys/x")).header("x-operate-as-tenant", ACTIVE.to_string());
    assert_eq!(ask(&router, one, "").await.problem(), (403, "permission_denied"));
}

#[tokio::test]
async fn a_suspended_tenant_can_be_read_by_operators() {
    let request = signed(get("/things")).header("x-operate-as-tenant", SUSPENDED.to_string());
    assert_eq!(ask(&guarded(), request, "").await.status, 200);
}

#[tokio::test]
async fn the_platform_needs_neither_tenant_nor_reason() {
    assert_eq!(
        ask(&guarded(), signed(Request::post("/tenants")), "")
            .await
            .status,
        200
    );
    assert_eq!(ask(&guarded(), Request::post("/tenants"), "").await.status, 401);
}

#[rstest]
#[case("bearer TOKEN", 200)]
#[case("Basic TOKEN", 401)]
#[case("TOKEN", 401)]
#[case("Bearer", 401)]
#[case("", 401)]
#[tokio::test]
async fn only_a_bearer_token_is_taken(#[case] header: &str, #[case] status: u16) {
    let header = header.replace("TOKEN", &token());
    let request = Request::post("/tenants").header("authorization", header);
    let answer = ask(&guarded(), request, "").await;
    assert_eq!(answer.status, status);
    assert_eq!(
        answer.header("www-authenticate"),
        if status == 401 { "Bearer" } else { "" }
    );
}

#[tokio::test]
async fn two_authorization_headers_are_none() {
    let request = signed(Request::post("/tenants")).header("authorization", "Basic eDp5");
    assert_eq!(ask(&guarded(), request, "").await.status, 401);
}

#[tokio::test]
async fn a_database_that_is_down_is_503_and_keeps_its_secrets() {
    let request = signed(get("/things")).header("x-operate-as-tenant", UNREACHABLE.to_string());
    let answer = ask(&guarded(), request, "").await;
    assert_eq!(answer.problem(), (503, "unavailable"));
    assert!(!answer.body.to_string().contains("s3cret"));
}

#[tokio::test]
async fn the_handler_of_a_public_route_gets_no_caller() {
    let router = serve(vec![Route::get("/open", Access::Public, "", anything)], ());
    assert_eq!(
        ask(&router, signed(get("/open")), "").await.problem(),
        (500, "internal_error")
    );
}
