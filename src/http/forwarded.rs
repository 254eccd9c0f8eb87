//! Finds out whom a reverse proxy speaks for, where the operator says that it is believed.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use crate::domain::proxies::TrustedProxies;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The router, which takes a request of these proxies for one of the client that they name.
pub fn believe(router: Router, proxies: &TrustedProxies) -> Router {
    if proxies.is_empty() {
        return router;
    }
    router.layer(from_fn_with_state(Arc::new(proxies.clone()), name_client))
}

async fn name_client(
    State(proxies): State<Arc<TrustedProxies>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let lines = request.headers().get_all(FORWARDED_FOR).iter();
        // Lines of a header have an order, and their iterator goes both ways.
        let client = proxies.client(peer.ip(), lines.map(HeaderValue::as_bytes));
        if client != peer.ip() {
            let client = ConnectInfo(SocketAddr::new(client, 0));
            request.extensions_mut().insert(client);
        }
    }
    next.run(request).await
}
