//! The TCP listener of the API.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address}; is another program there, or does `http.listen` name an address of another host?"
)]
pub struct ListenError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// Takes the address; port 0 takes a free one, which the listener knows.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ListenError { address, source })
}

/// Answers requests until the soft stop, and then the ones that are under way.
pub async fn serve(listener: TcpListener, router: Router, soft_stop: CancellationToken) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(soft_stop.cancelled_owned())
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_listener_ends() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let slow = get(move || async move {
            stopping.cancel();
            tokio::time::sleep(Duration::from_millis(100)).await;
            "done"
        });
        let served = serve(listener, Router::new().route("/", slow), stop);
        let asked = async { reqwest::get(url).await.unwrap().text().await.unwrap() };
        let both = timeout(Duration::from_secs(20), async { tokio::join!(served, asked) });
        let (served, answer) = both.await.unwrap();
        served.unwrap();
        assert_eq!(answer, "done");
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let first = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot listen on {address}"))
        );
    }
}
