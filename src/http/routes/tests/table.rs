//! The route table itself: what holds for every route that it has or will have.

use std::collections::BTreeSet;

use crate::auth::access::Access;
use crate::http::routes::table;

/// The routes that everybody may ask, whoever they are: a new one belongs here only after thought.
const PUBLIC: [&str; 10] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/openapi.json",
    "/api/docs",
    "/api/docs/{file}",
    "/api/v1/auth/user-login",
    "/api/v1/auth/invitations/accept",
    "/api/v1/auth/password-reset",
    "/api/v1/auth/password-reset/confirm",
];

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
