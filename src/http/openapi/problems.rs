//! The problems that a route answers: those that its access, its input and its use case lead to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::shape::Problems;
use crate::auth::access::{Access, Act};

/// The problems that a route answers whatever its handler does.
pub fn of_access(access: Access, act: Act) -> Problems {
    let mut problems = Problems::default();
    problems.add(500, &["internal_error"]);
    if access == Access::Public {
        return problems;
    }
    problems.add(401, &["credentials_invalid"]);
    problems.add(403, &["permission_denied", "tenant_suspended"]);
    problems.add(503, &["sealing_key_missing", "unavailable"]);
    if act == Act::Change {
        // Of whoever names a tenant, even where none is needed.
        problems.add(400, &["reason_required"]);
    }
    if access.is_in_tenant() {
        problems.add(400, &["tenant_required"]);
        problems.add(404, &["not_found"]);
    }
    problems
}

/// The name of a problem's answer in the document.
pub fn name(status: u16, codes: &BTreeSet<&'static str>) -> String {
    let codes: Vec<&str> = codes.iter().copied().collect();
    format!("Problem{status}.{}", codes.join("."))
}

/// Such an answer.
pub fn answer(status: u16, codes: &BTreeSet<&'static str>) -> Value {
    let title = title(status);
    json!({
        "description": title,
        "content": {"application/problem+json": {"schema": {"allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"properties": {"title": {"const": title}, "status": {"const": status}, "code": {"enum": codes}}},
        ]}}},
    })
}

/// What a status is called.
pub fn title(status: u16) -> &'static str {
    let status = axum::http::StatusCode::from_u16(status).ok();
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
}
