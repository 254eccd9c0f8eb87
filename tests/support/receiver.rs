//! A receiver of webhooks that behaves as a test says, and keeps what it was sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What it does once it has read a request.
#[derive(Clone)]
pub enum Manner {
    /// Answers with this status, and a few words.
    Status(u16),
    /// The same, once the test lets it.
    Late(u16),
    /// Sends the sender elsewhere.
    Redirect(String),
    /// Says nothing, and keeps the connection.
    Hang,
    /// Answers 200, and then says nothing.
    HangInAnswer,
    /// Answers 200 with so many bytes, or as many as are taken.
    Flood(usize),
    /// The same with headers, and no end of them.
    FloodInHead(usize),
}

/// A request that it was sent.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    /// By name, in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn number(&self) -> i64 {
        self.json()["number"].as_i64().unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Whether each of these secrets has signed it, as docs/webhooks.md says, and nothing else has.
    pub fn is_signed_by(&self, secrets: &[&str]) -> bool {
        let header = self.headers["switchyard-signature"].split(',');
        let given: Vec<Vec<u8>> = header
            .map(|one| bytes(one.strip_prefix("v1=").unwrap()))
            .collect();
        let signs = |(secret, given): (&&str, &Vec<u8>)| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(self.headers["switchyard-timestamp"].as_bytes());
            mac.update(b".");
            mac.update(self.body.as_bytes());
            mac.verify_slice(given).is_ok()
        };
        given.len() == secrets.len() && secrets.iter().zip(&given).all(signs)
    }
}

/// What two small hex digits each stand for.
fn bytes(hex: &str) -> Vec<u8> {
    assert_eq!(hex, hex.to_lowercase());
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

#[derive(Default)]
struct Kept {
    got: Vec<Got>,
    manners: Vec<Manner>,
    connections: usize,
    /// How much of its last flood was taken, once that has ended.
    flooded: Option<usize>,
    /// Lets one answer go that is held back.
    go_on: Arc<Notify>,
}

/// A receiver on loopback, gone with the value.
pub struct Receiver {
    pub address: SocketAddr,
    scheme: &'static str,
    kept: Arc<Mutex<Kept>>,
    _serving: JoinSet<()>,
}

impl Receiver {
    /// One that answers 200 until it is told otherwise.
    pub async fn start() -> Self {
        Self::listening(None).await
    }

    /// The same with TLS.
    pub async fn start_with_tls(acceptor: TlsAcceptor) -> Self {
        Self::listening(Some(acceptor)).await
    }

    async fn listening(tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::<Mutex<Kept>>::default();
        let mut serving = JoinSet::new();
        let own = Arc::clone(&kept);
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                own.lock().unwrap().connections += 1;
                let (own, tls) = (Arc::clone(&own), tls.clone());
                open.spawn(async move {
                    match tls {
                        None => serve(stream, own).await,
                        Some(tls) => {
                            // Whoever does not trust it goes away.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, own).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            scheme,
            kept,
            _serving: serving,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn url(&self) -> String {
        format!("{}://{}/hook?token=T0kenInThePath", self.scheme, self.address)
    }

    /// What it does with the next requests, one after the other; the last one is done with all that come then.
    pub fn behave(&self, manners: &[Manner]) {
        self.lock().manners = manners.to_vec();
    }

    /// Has an answer sent that is held back.
    pub fn go_on(&self) {
        self.lock().go_on.notify_one();
    }

    pub fn got(&self) -> Vec<Got> {
        self.lock().got.clone()
    }

    pub fn numbers(&self) -> Vec<i64> {
        self.got().iter().map(Got::number).collect()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.got().iter().map(Got::kind).collect()
    }

    pub fn connections(&self) -> usize {
        self.lock().connections
    }

    pub fn flooded(&self) -> Option<usize> {
        self.lock().flooded
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, kept: Arc<Mutex<Kept>>) {
    let Some(got) = read(&mut stream).await else {
        return;
    };
    let manner = {
        let mut kept = kept.lock().unwrap();
        kept.got.push(got);
        match kept.manners.len() {
            0 => Manner::Status(200),
            1 => kept.manners[0].clone(),
            _ => kept.manners.remove(0),
        }
    };
    match manner {
        Manner::Status(status) => answer(&mut stream, status).await,
        Manner::Late(status) => {
            let go_on = Arc::clone(&kept.lock().unwrap().go_on);
            go_on.notified().await;
            answer(&mut stream, status).await;
        }
        Manner::Redirect(to) => {
            let answer =
                format!("HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Manner::Hang => std::future::pending().await,
        Manner::HangInAnswer => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nx")
                .await;
            std::future::pending::<()>().await;
        }
        Manner::Flood(length) => {
            let head = format!("HTTP/1.1 200 X\r\ncontent-length: {length}\r\n\r\n");
            flood(&mut stream, &head, length, &kept).await;
        }
        Manner::FloodInHead(length) => flood(&mut stream, "HTTP/1.1 200 X\r\nx: ", length, &kept).await,
    }
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin), status: u16) {
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn flood(stream: &mut (impl AsyncWrite + Unpin), head: &str, length: usize, kept: &Mutex<Kept>) {
    let _ = stream.write_all(head.as_bytes()).await;
    let piece = vec![b'x'; 64 * 1024];
    let mut taken = 0;
    while taken < length {
        match stream.write(&piece).await {
            Ok(more) if more > 0 => taken += more,
            _ => break,
        }
    }
    kept.lock().unwrap().flooded = Some(taken);
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Got> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if body.len() >= length {
                let body = body.to_owned();
                return Some(Got { path, headers, body });
            }
        }
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
    }
}
