//! A mail server of the test's own: it keeps what it accepts, holds its clients to the protocol, and fails where it is told
//! to.

mod session;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use self::session::Session;

/// Where in a session something goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// Before the greeting.
    Greeting,
    /// At the command of this name.
    Command(&'static str),
    /// In the middle of the content.
    MidContent,
    /// When the content is whole, and kept.
    Content,
}

/// What goes wrong there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// This answer, with the mail's link in the place of `{link}`; what is refused is not kept.
    Answer(String),
    /// Nothing is answered until it goes on, and nothing is closed.
    Silence,
    /// The connection is closed.
    Cut,
}

/// How the way to it is kept from others.
#[derive(Clone)]
pub enum Way {
    Clear,
    StartTls(TlsAcceptor),
    Tls(TlsAcceptor),
}

/// A mail that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    pub from: String,
    pub to: Vec<String>,
    pub content: String,
    pub encrypted: bool,
    pub account: Option<String>,
}

impl Accepted {
    /// The value of a header, decoded.
    pub fn header(&self, name: &str) -> Option<String> {
        use mailparse::MailHeaderMap as _;
        let parsed = mailparse::parse_mail(self.content.as_bytes()).unwrap();
        parsed.headers.get_first_value(name)
    }

    /// The link in its text.
    pub fn link(&self) -> String {
        let (_, text) = self.parts().remove(0);
        let link = text.lines().find(|line| line.starts_with("https://"));
        link.unwrap_or_default().to_owned()
    }

    /// Its parts, decoded: text and HTML.
    pub fn parts(&self) -> Vec<(String, String)> {
        let parsed = mailparse::parse_mail(self.content.as_bytes()).unwrap();
        let part = |part: &mailparse::ParsedMail<'_>| (part.ctype.mimetype.clone(), part.get_body().unwrap());
        parsed.subparts.iter().map(part).collect()
    }
}

/// What the sessions share.
struct State {
    way: Way,
    /// Whom it lets in; `None` asks nobody.
    account: Option<(&'static str, &'static str)>,
    fault: Mutex<Option<(At, Fault)>>,
    accepted: Mutex<Vec<Accepted>>,
    /// Whatever its clients said.
    heard: Mutex<String>,
    /// Where a client broke the protocol.
    breaches: Mutex<Vec<String>>,
    /// Ends every silence.
    going_on: Notify,
}

/// A mail server, gone with the value.
pub struct SmtpServer {
    pub port: u16,
    state: Arc<State>,
    listening: Option<JoinHandle<()>>,
}

impl SmtpServer {
    /// One that takes mails from everybody in clear.
    pub async fn start() -> Self {
        Self::start_with(Way::Clear, None).await
    }

    pub async fn start_with(way: Way, account: Option<(&'static str, &'static str)>) -> Self {
        let mut server = Self {
            port: 0,
            state: Arc::new(State {
                way,
                account,
                fault: Mutex::default(),
                accepted: Mutex::default(),
                heard: Mutex::default(),
                breaches: Mutex::default(),
                going_on: Notify::new(),
            }),
            listening: None,
        };
        server.start_again().await;
        server
    }

    /// Listens at the same port as before, with what it has kept.
    pub async fn start_again(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let state = Arc::clone(&self.state);
        let listening = async move {
            // Dropped with this task, and the sessions with it.
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                sessions.spawn(Session::serve(Arc::clone(&state), stream));
            }
        };
        self.listening = Some(spawned(listening));
    }

    /// It is dead: nobody listens, and open sessions break off.
    pub async fn stop(&mut self) {
        let listening = self.listening.take().unwrap();
        listening.abort();
        assert!(listening.await.unwrap_err().is_cancelled());
    }

    pub fn set(&self, fault: Option<(At, Fault)>) {
        *lock(&self.state.fault) = fault;
    }

    /// From now on nothing goes wrong, and what was not answered is.
    pub fn go_on(&self) {
        self.set(None);
        self.state.going_on.notify_waiters();
    }

    /// What it has accepted, oldest first.
    pub fn accepted(&self) -> Vec<Accepted> {
        lock(&self.state.accepted).clone()
    }

    /// Whatever was said to it, content included.
    pub fn heard(&self) -> String {
        lock(&self.state.heard).clone()
    }

    /// Nobody broke the protocol.
    #[track_caller]
    pub fn assert_correct(&self) {
        assert_eq!(*lock(&self.state.breaches), [""; 0]);
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "no daemon is there that could stop it")]
fn spawned(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// TLS with the certificate `NAME.pem` and its key.
pub fn acceptor(directory: &Path, name: &str) -> TlsAcceptor {
    let path = |ending: &str| directory.join(format!("{name}.{ending}"));
    let certificates = CertificateDer::pem_file_iter(path("pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(path("key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates.map(Result::unwrap).collect(), key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// What signs in with the mechanism PLAIN: base64 of name and password, each behind a NUL.
pub fn plain(name: &str, password: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes = format!("\0{name}\0{password}").into_bytes();
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three
            .iter()
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place) & 63) as usize] as char;
            text.push(if place <= three.len() { digit } else { '=' });
        }
    }
    text
}
