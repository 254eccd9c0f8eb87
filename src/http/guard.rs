//! Stands before every route: finds out who is calling and whether the route is open to them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::problem::Problem;
use super::standing::Standing;
use crate::auth::access::Access;
use crate::auth::authenticator::Authenticator;

/// What a route asks, and who knows the answer.
#[derive(Clone)]
pub struct Guard {
    /// What the route asks of its caller.
    pub access: Access,
    /// Finds out who is calling.
    pub authenticator: Arc<Authenticator>,
}

/// Lets a request pass with its [`Caller`](crate::auth::caller::Caller) and their [`Standing`], or answers it.
///
/// It knows the route and the caller only, never an id: so an answer cannot depend on what there is.
pub async fn check(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if guard.access != Access::Public {
        let standing = Standing::of(guard, &request);
        let caller = standing.caller().await?;
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(Arc::new(standing));
    }
    Ok(next.run(request).await)
}
