//! The route table itself: what holds for every route that it has or will have.

use std::collections::BTreeSet;

use axum::http::Request;

use super::*;
use crate::auth::permission::Access;
use crate::http::health::{Check, Readiness};
use crate::http::routes::{Shared, table};

struct Nothing;

#[async_trait]
impl Readiness for Nothing {
    async fn checks(&self) -> Vec<Check> {
        Vec::new()
    }
}

async fn shared() -> (tempfile::TempDir, Shared) {
    let (directory, app) = crate::app::testing::app().await;
    let readiness = Arc::new(Nothing);
    (directory, Shared { readiness, app })
}

/// The routes that everybody may ask, whoever they are: a new one belongs here only after thought.
const PUBLIC: [&str; 2] = ["/healthz", "/readyz"];

#[test]
fn no_route_is_there_twice_and_the_public_ones_are_known() {
    let mut seen = BTreeSet::new();
    let mut public = Vec::new();
    for route in table() {
        assert!(
            seen.insert((route.method().to_string(), route.path())),
            "{}",
            route.path()
        );
        if route.access() == Access::Public {
            public.push(route.path());
        }
    }
    assert_eq!(public, PUBLIC);
}

#[tokio::test]
async fn o02_no_route_but_the_public_ones_answers_a_stranger() {
    let (_directory, shared) = shared().await;
    let router = serve(table(), shared);
    for route in table() {
        let path = route.path().replace("{id}", &ACTIVE.to_string());
        let answer = ask(&router, Request::builder().method(route.method()).uri(path), "").await;
        match route.access() {
            Access::Public => assert_ne!(answer.status, 401, "{}", route.path()),
            Access::Tenant(_) | Access::Platform(_) => {
                assert_eq!(answer.problem(), (401, "credentials_invalid"), "{}", route.path());
            }
        }
    }
}
