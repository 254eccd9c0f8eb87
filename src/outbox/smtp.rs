//! A session with a mail server: reach it, make it prove itself, sign in, and hand mails over.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::domain::error_chain::error_chain;
use crate::domain::mail::{SmtpServer, TlsMode};
use crate::domain::parsed::word_enum;

/// How long a server may take for a step. Some hold back who knocks for half a minute.
const PATIENCE: Duration = Duration::from_secs(40);
/// And for taking the content: it may look into it first.
const PATIENCE_WITH_CONTENT: Duration = Duration::from_mins(1);
/// How much of what a server says is told, in characters.
const LONGEST_ANSWER: usize = 300;
const WITHHELD: &str = "its answer is withheld, since it repeats a secret";
/// So many characters of a secret in a row, and an answer is withheld.
const TELLING: usize = 8;

word_enum! {
    /// What is done, in this order.
    Step {
        /// Reach it, with TLS where that comes first, and be greeted.
        Connect = "connecting",
        /// Change to TLS.
        StartTls = "STARTTLS",
        /// Sign in.
        SignIn = "signing in",
        /// Whom the mail is from.
        Sender = "MAIL FROM",
        /// Whom it is for.
        Recipient = "RCPT TO",
        /// What it says.
        Content = "DATA",
    }
}

/// What went wrong in a session. Holds no secret, whatever the server repeated.
#[derive(Debug)]
pub struct SmtpError {
    place: String,
    /// In which step.
    pub step: Step,
    /// Whether the server refused for good (5xx).
    pub is_refusal: bool,
    said: String,
}

impl fmt::Display for SmtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mail server {}, {}: {}", self.place, self.step, self.said)
    }
}

impl Error for SmtpError {}

impl SmtpError {
    /// Whether no mail would have fared better.
    #[must_use]
    pub fn is_of_server(&self) -> bool {
        self.step <= Step::SignIn
    }

    /// Whether it is this mail that the server does not want, now and later.
    #[must_use]
    pub fn is_of_mail(&self) -> bool {
        self.is_refusal && !self.is_of_server()
    }
}

/// An open session.
pub struct Session {
    connection: AsyncSmtpConnection,
    place: String,
}

impl Session {
    /// Opens one and signs in. `hello` is how this host calls itself.
    pub async fn open(server: &SmtpServer, hello: &str) -> Result<Self, SmtpError> {
        let place = server.place();
        let hello = ClientId::Domain(hello.to_owned());
        let mut step = At::new(&place, Step::Connect, &[]);
        let connection = step.limited(connect(server, &hello)).await?;
        let mut session = Self {
            connection: connection.map_err(|reason| step.error(&reason))?,
            place: place.clone(),
        };
        if server.tls == TlsMode::StartTls {
            step = At::new(&place, Step::StartTls, &[]);
            let tls = tls(server).await.map_err(|reason| step.error(&reason))?;
            let changed = step.limited(session.connection.starttls(tls, &hello)).await?;
            changed.map_err(|error| step.failed(&error))?;
        }
        if let Some(login) = &server.login {
            let secrets = [login.password.expose_secret()];
            step = At::new(&place, Step::SignIn, &secrets);
            let credentials =
                Credentials::new(login.username.clone(), login.password.expose_secret().to_owned());
            let signed_in = session.connection.auth(DEFAULT_MECHANISMS, &credentials);
            let signed_in = step.limited(signed_in).await?;
            signed_in.map_err(|error| step.failed(&error))?;
        }
        Ok(session)
    }

    /// Hands a mail over; `secret` is what of it must not be told. Only at the end of this the server has it.
    pub async fn hand_over(&mut self, message: &Message, secret: &str) -> Result<(), SmtpError> {
        let (connection, place, envelope) = (&mut self.connection, &self.place, message.envelope());
        let secrets = [secret];
        let at = |step| At::new(place, step, &secrets);
        let mut step = at(Step::Sender);
        let from = Mail::new(envelope.from().cloned(), Vec::new());
        let answer = step.limited(connection.command(from)).await?;
        answer.map_err(|error| step.failed(&error))?;
        step = at(Step::Recipient);
        for to in envelope.to() {
            let to = Rcpt::new(to.clone(), Vec::new());
            let answer = step.limited(connection.command(to)).await?;
            answer.map_err(|error| step.failed(&error))?;
        }
        step = at(Step::Content);
        let answer = step.limited(connection.command(Data)).await?;
        answer.map_err(|error| step.failed(&error))?;
        step.patience = PATIENCE_WITH_CONTENT;
        let answer = step.limited(connection.message(&message.formatted())).await?;
        let answer = answer.map_err(|error| step.failed(&error))?;
        if answer.has_code(250) {
            Ok(())
        } else {
            Err(step.error(&format!("it answered {} to the content", answer.code())))
        }
    }

    /// Says goodbye; how that goes changes nothing.
    pub async fn quit(mut self) {
        let _ = timeout(Duration::from_secs(5), self.connection.quit()).await;
    }
}

/// Where in a session we are, for the error.
struct At<'a> {
    place: &'a str,
    step: Step,
    /// What no answer may repeat.
    secrets: &'a [&'a str],
    patience: Duration,
}

impl<'a> At<'a> {
    const fn new(place: &'a str, step: Step, secrets: &'a [&'a str]) -> Self {
        Self {
            place,
            step,
            secrets,
            patience: PATIENCE,
        }
    }

    async fn limited<T>(&self, done: impl Future<Output = T>) -> Result<T, SmtpError> {
        timeout(self.patience, done)
            .await
            .map_err(|_| self.error(&format!("no answer within {} s", self.patience.as_secs())))
    }

    fn failed(&self, error: &lettre::transport::smtp::Error) -> SmtpError {
        let mut told = self.error(&error_chain(error));
        told.is_refusal = error.is_permanent();
        if let Some(code) = error.status().filter(|_| told.said == WITHHELD) {
            told.said = format!("{code}, {WITHHELD}");
        }
        told
    }

    fn error(&self, reason: &str) -> SmtpError {
        SmtpError {
            place: self.place.to_owned(),
            step: self.step,
            is_refusal: false,
            said: told(reason, self.step, self.secrets),
        }
    }
}

/// What may be told of an answer.
fn told(answer: &str, step: Step, secrets: &[&str]) -> String {
    if secrets.iter().any(|secret| repeats(answer, secret)) {
        return WITHHELD.to_owned();
    }
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = answer.chars().map(visible).take(LONGEST_ANSWER).collect();
    if step != Step::SignIn {
        return line;
    }
    // In that step a secret goes over the wire in base64.
    let is_encoded = |word: &str| {
        word.len() >= 16
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    let words = line
        .split(' ')
        .map(|word| if is_encoded(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a good part of a secret stands in a text.
fn repeats(text: &str, secret: &str) -> bool {
    let secret: Vec<char> = secret.chars().collect();
    if secret.is_empty() {
        return false;
    }
    secret
        .windows(TELLING.min(secret.len()))
        .any(|part| text.contains(&part.iter().collect::<String>()))
}

async fn connect(server: &SmtpServer, hello: &ClientId) -> Result<AsyncSmtpConnection, String> {
    let address = (server.host.as_str(), server.port);
    let connected = match server.tls {
        TlsMode::Required => {
            let tls = tls(server).await?;
            AsyncSmtpConnection::connect_tokio1(address, Some(PATIENCE), hello, Some(tls), None).await
        }
        TlsMode::StartTls => {
            AsyncSmtpConnection::connect_tokio1(address, Some(PATIENCE), hello, None, None).await
        }
        TlsMode::None => {
            let stream = TcpStream::connect(address)
                .await
                .map_err(|error| error.to_string())?;
            let peer = stream.peer_addr().map_err(|error| error.to_string())?;
            // What its name means is known only now.
            if !peer.ip().to_canonical().is_loopback() {
                return Err(format!(
                    "without TLS mails go within this host only, and it is at {}",
                    peer.ip()
                ));
            }
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello).await
        }
    };
    connected.map_err(|error| error_chain(&error))
}

/// Whose certificates are believed, read anew each time: one that was renewed is heeded without a restart.
async fn tls(server: &SmtpServer) -> Result<TlsParameters, String> {
    let (host, ca_file) = (server.host.to_string(), server.ca_file.clone());
    let made = tokio::task::spawn_blocking(move || {
        let mut builder = TlsParameters::builder(host);
        if let Some(path) = ca_file {
            let unusable = |error: &dyn fmt::Display| format!("{} cannot be used: {error}", path.display());
            let pem = std::fs::read(&path).map_err(|error| unusable(&error))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| unusable(&error))?;
            builder = builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(certificate);
        }
        builder.build().map_err(|error| error_chain(&error))
    });
    made.await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("see https://x/i#token=abcdefghijkl", "abcdefghijkl", true)]
    #[case("see ...cdefghij...", "abcdefghijkl", true)]
    #[case("see abcdefg hijkl", "abcdefghijkl", false)]
    #[case("say abc", "abc", true)]
    #[case("say", "", false)]
    fn an_answer_that_repeats_a_secret_is_withheld(
        #[case] answer: &str,
        #[case] secret: &str,
        #[case] is: bool,
    ) {
        assert_eq!(told(answer, Step::Content, &[secret]).contains("withheld"), is);
    }

    #[test]
    fn an_answer_is_one_line_and_not_endless() {
        let answer = format!("no\r\n{}", "x".repeat(10_000));
        let told = told(&answer, Step::Recipient, &[]);
        assert!(told.starts_with("no  xxx") && told.chars().count() == LONGEST_ANSWER);
    }

    #[test]
    fn what_looks_encoded_is_left_out_when_signing_in() {
        let answer = "535 5.7.8 AGFubgBodW50ZXIy Username and Password not accepted";
        let signing_in = told(answer, Step::SignIn, &[]);
        assert_eq!(signing_in, "535 5.7.8 … Username and Password not accepted");
        assert_eq!(told(answer, Step::Recipient, &[]), answer);
    }
}
