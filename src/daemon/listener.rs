//! The TCP listener of the API.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use super::crowd::Crowd;
use super::impatient::Impatient;
use crate::domain::error_chain::error_chain;
use crate::domain::proxies::TrustedProxies;

/// How long nothing is accepted after that has failed.
const AGAIN: Duration = Duration::from_millis(500);

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

/// What clients may take of the server's time and files.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the headers of a request may take to arrive, and a connection may be idle before them. Less than the soft
    /// stop waits, so that nobody who trickles keeps the daemon from ending well.
    pub headers: Duration,
    /// How long an answer may make no progress because the client does not read; the connection ends then. A stream or a
    /// request that waits is not concerned while it has nothing to say.
    pub writes: Duration,
    /// How many connections are open at a time; others wait until one ends. Below the 1,024 files that a process may
    /// usually open.
    pub connections: usize,
    /// How many of them may be of one address, unless it is a proxy that speaks for many: others are closed at once.
    pub of_one_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(15),
            writes: Duration::from_secs(15),
            connections: 512,
            of_one_address: 128,
        }
    }
}

/// Answers requests until the soft stop, and then the ones that are under way.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    proxies: TrustedProxies,
    soft_stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut connections = JoinSet::new();
    let crowd = Crowd::default();
    loop {
        tokio::select! {
            biased;
            () = soft_stop.cancelled() => break,
            Some(ended) = connections.join_next() => log_panic(ended),
            accepted = listener.accept(), if connections.len() < limits.connections => match accepted {
                Ok((stream, peer)) => {
                    let most = if proxies.contains(peer.ip()) { usize::MAX } else { limits.of_one_address };
                    let Some(place) = crowd.enter(peer.ip(), most) else { continue };
                    let talk = converse(stream, peer, router.clone(), limits, soft_stop.clone());
                    connections.spawn(async move {
                        talk.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Where files have run out, the next attempt would fail as well.
                    sleep(AGAIN).await;
                }
            }
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        log_panic(ended);
    }
    Ok(())
}

/// Serves one connection to its end.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    soft_stop: CancellationToken,
) {
    // Answers are written whole, and events should not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection gathers what it sends");
    }
    // Around the router: `Router::layer` would make each of its routes anew, per connection.
    let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(router));
    let stream = Impatient::new(stream, limits.writes);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.headers)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = soft_stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = error_chain(&error), "a connection ended early");
    }
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection was dropped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_listener_ends() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let slow = get(move || async move {
            stopping.cancel();
            sleep(Duration::from_millis(100)).await;
            "done"
        });
        let router = Router::new().route("/", slow);
        let served = serve(
            listener,
            router,
            Limits::default(),
            TrustedProxies::default(),
            stop,
        );
        let asked = async { reqwest::get(url).await.unwrap().text().await.unwrap() };
        let both = timeout(Duration::from_secs(20), async { tokio::join!(served, asked) });
        let (served, answer) = both.await.unwrap();
        served.unwrap();
        assert_eq!(answer, "done");
    }

    const SHORT: Duration = Duration::from_millis(300);

    /// A server with short limits that says "hello", later than any of them at `/late`, and much at `/much`.
    async fn short(connections: usize) -> (SocketAddr, CancellationToken, JoinSet<()>) {
        of_one_address(connections, connections, "").await
    }

    /// The same with a limit of each address but those of proxies.
    async fn of_one_address(
        connections: usize,
        of_one_address: usize,
        proxies: &str,
    ) -> (SocketAddr, CancellationToken, JoinSet<()>) {
        let proxies: TrustedProxies = proxies.parse().unwrap();
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits {
            headers: SHORT,
            writes: SHORT,
            connections,
            of_one_address,
        };
        let late = get(async || {
            sleep(SHORT * 3).await;
            "late"
        });
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/late", late)
            .route("/much", get(async || vec![b'x'; 1024 * 1024]));
        let (stop, mut serving) = (CancellationToken::new(), JoinSet::new());
        let served = serve(listener, router, limits, proxies, stop.clone());
        serving.spawn(async move { served.await.unwrap() });
        (address, stop, serving)
    }

    /// Sends a header that never ends, a byte at a time; gives how long that was listened to.
    async fn trickle(address: SocketAddr) -> Duration {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let began = std::time::Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
        loop {
            tokio::select! {
                read = stream.read_u8() => {
                    read.expect_err("nothing was asked, and it answers");
                    return began.elapsed();
                }
                () = sleep(Duration::from_millis(20)) => {
                    // What is sent after the end is refused at some time.
                    let _ = stream.write_all(b"x").await;
                }
            }
        }
    }

    async fn hello(address: SocketAddr) -> String {
        let answer = reqwest::get(format!("http://{address}/")).await.unwrap();
        answer.text().await.unwrap()
    }

    #[tokio::test]
    async fn whoever_trickles_headers_is_cut_off() {
        let (address, _stop, _serving) = short(10).await;
        let listened = timeout(Duration::from_secs(20), trickle(address)).await.unwrap();
        assert!(listened >= Duration::from_millis(250), "{listened:?}");
        assert_eq!(hello(address).await, "hello");
    }

    #[tokio::test]
    async fn whoever_trickles_keeps_others_waiting_for_no_longer_than_that() {
        let (address, _stop, _serving) = short(4).await;
        let mut slow = JoinSet::new();
        for _ in 0..4 {
            slow.spawn(trickle(address));
        }
        sleep(Duration::from_millis(100)).await;
        let answered = timeout(Duration::from_secs(20), hello(address)).await;
        assert_eq!(answered.unwrap(), "hello");
        // All places were taken until then.
        assert!(slow.try_join_next().is_some());
    }

    /// From another address of this host.
    async fn hello_from(from: &str, to: SocketAddr) -> String {
        let client = reqwest::Client::builder().local_address(Some(from.parse().unwrap()));
        let asked = client.build().unwrap().get(format!("http://{to}/")).send().await;
        asked.unwrap().text().await.unwrap()
    }

    #[tokio::test]
    async fn c12_one_address_takes_no_places_of_others() {
        let (address, _stop, _serving) = of_one_address(10, 2, "").await;
        let idle = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        sleep(Duration::from_millis(50)).await;
        let mut third = TcpStream::connect(address).await.unwrap();
        let closed = timeout(Duration::from_millis(200), third.read_u8()).await;
        closed.unwrap().unwrap_err();
        assert_eq!(hello_from("127.0.0.2", address).await, "hello");
        drop(idle);
        sleep(Duration::from_millis(50)).await;
        assert_eq!(hello(address).await, "hello");
    }

    #[tokio::test]
    async fn c12_a_trusted_proxy_speaks_for_many() {
        let (address, _stop, _serving) = of_one_address(10, 2, "127.0.0.1").await;
        let _idle = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        sleep(Duration::from_millis(50)).await;
        assert_eq!(hello(address).await, "hello");
    }

    #[tokio::test]
    async fn whoever_asks_on_and_on_and_reads_nothing_is_cut_off() {
        let (address, _stop, _serving) = short(1).await;
        let mut deaf = TcpStream::connect(address).await.unwrap();
        let asking = async {
            // The first that is written in vain is refused by the system.
            while deaf
                .write_all(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .is_ok()
            {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(20), asking).await.unwrap();
        // It had the only place.
        let answered = timeout(Duration::from_secs(20), hello(address)).await;
        assert_eq!(answered.unwrap(), "hello");
    }

    /// What an answer holds open.
    struct Held(UnboundedSender<()>);

    impl Drop for Held {
        fn drop(&mut self) {
            // The test may be over.
            let _ = self.0.send(());
        }
    }

    #[tokio::test]
    async fn a12_what_an_answer_holds_open_is_given_back_where_nobody_takes_it() {
        let (tell, mut told) = unbounded_channel();
        let sound = get(move || {
            let held = Held(tell.clone());
            let pieces = stream::unfold(held, async |held| {
                Some((Ok::<_, Infallible>(vec![0; 64 * 1024]), held))
            });
            async { Body::from_stream(pieces) }
        });
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits {
            writes: SHORT,
            ..Limits::default()
        };
        let router = Router::new().route("/", sound);
        let (stop, mut serving) = (CancellationToken::new(), JoinSet::new());
        let served = serve(listener, router, limits, TrustedProxies::default(), stop);
        serving.spawn(async move { served.await.unwrap() });
        let mut deaf = TcpStream::connect(address).await.unwrap();
        deaf.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let given_back = timeout(Duration::from_secs(20), told.recv()).await;
        given_back.expect("it is held").unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_for_an_answer_may_do_so_for_longer() {
        let (address, _stop, _serving) = short(1).await;
        let answer = reqwest::get(format!("http://{address}/late")).await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "late");
    }

    #[tokio::test]
    async fn nobody_who_says_nothing_holds_up_the_stop() {
        let (address, stop, mut serving) = short(10).await;
        let idle = TcpStream::connect(address).await.unwrap();
        let mut slow = JoinSet::new();
        slow.spawn(trickle(address));
        assert_eq!(hello(address).await, "hello");
        stop.cancel();
        let ended = timeout(Duration::from_secs(20), serving.join_next()).await;
        ended.unwrap().unwrap().unwrap();
        drop(idle);
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
