//! Hands the caller, whom the guard has admitted, to the handler; or, of a public route, where the request came from.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::problem::Problem;
use super::standing;
use crate::auth::caller::{Caller, Origin};

/// The guard has let a request through without finding out who is calling: the route is public.
#[derive(Debug, thiserror::Error)]
#[error("the handler of a public route asks for a caller")]
struct NoCaller;

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::internal(&NoCaller))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(standing::origin(&parts.extensions, &parts.headers))
    }
}
