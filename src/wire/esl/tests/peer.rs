//! An event socket that keeps to the protocol, and says what a test tells it to.

use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::wire::esl::{Client, Config, Format, Password, Subscription, Timing, Word, connect};
use crate::wire::stage;
pub use crate::wire::stage::{LONG, SHORT, eventually, unused_port};

pub const PASSWORD: &str = "throwaway";
/// What FreeSWITCH says before it closes (recorded).
pub const GOODBYE: &str = "Content-Type: text/disconnect-notice\nContent-Length: 67\n\n\
                           Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";
/// What it says to an address that it does not want (recorded).
pub const DENIED: &str = "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n";

/// The server's end of one connection.
pub struct Peer {
    stream: BufReader<TcpStream>,
    signed_in: bool,
    /// The form of events that was asked for, once one was.
    events: Option<Format>,
    jobs: u32,
}

impl From<TcpStream> for Peer {
    fn from(stream: TcpStream) -> Self {
        Self {
            stream: BufReader::new(stream),
            signed_in: false,
            events: None,
            jobs: 0,
        }
    }
}

impl Peer {
    /// The next command as it came, without its empty line; `None` when the client has closed.
    pub async fn heard(&mut self) -> Option<String> {
        let mut command = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            match line.trim_end_matches('\n') {
                "" if command.is_empty() => {}
                "" => return Some(command),
                line if command.is_empty() => command.push_str(line),
                line => command = format!("{command}\n{line}"),
            }
        }
    }

    /// The next command that is for the test to answer: password, subscriptions, signs of life and whatever comes before
    /// the password are answered here.
    pub async fn asked(&mut self) -> Option<String> {
        loop {
            let command = self.heard().await?;
            let (name, rest) = command.split_once(' ').unwrap_or((&command, ""));
            match (name, rest) {
                ("auth", PASSWORD) => {
                    self.signed_in = true;
                    self.reply("+OK accepted").await;
                }
                ("auth", _) => {
                    self.reply("-ERR invalid").await;
                    self.send(GOODBYE).await;
                    return None;
                }
                _ if !self.signed_in => self.reply("-ERR command not found").await,
                ("event", rest) => {
                    let (form, _) = rest.split_once(' ').unwrap_or((rest, ""));
                    self.events = Some(if form == "json" {
                        Format::Json
                    } else {
                        Format::Plain
                    });
                    self.reply(&format!("+OK event listener enabled {form}")).await;
                }
                ("noevents", "") => {
                    self.events = None;
                    self.reply("+OK no longer listening for events").await;
                }
                ("filter", _) => self.reply("+OK filter added.").await,
                ("exit", "") => {
                    self.reply("+OK bye").await;
                    self.send(GOODBYE).await;
                    return None;
                }
                _ => return Some(command),
            }
        }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have hung up: the test looks at the client's side.
        let _ = self.stream.get_mut().write_all(bytes.as_ref()).await;
    }

    pub async fn reply(&mut self, text: &str) {
        self.send(format!("Content-Type: command/reply\nReply-Text: {text}\n\n"))
            .await;
    }

    pub async fn print(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        self.send(format!(
            "Content-Type: api/response\nContent-Length: {}\n\n{text}",
            text.len()
        ))
        .await;
    }

    /// Sends an event in the form that was asked for, or none where none was.
    pub async fn event(&mut self, headers: &[(&str, &str)], body: Option<&str>) {
        let (form, text) = match self.events {
            None => return,
            Some(Format::Json) => {
                let body = body.map(|body| ("_body", body));
                let members = headers.iter().copied().chain(body);
                let members: serde_json::Map<String, serde_json::Value> = members
                    .map(|(key, value)| (key.to_owned(), value.into()))
                    .collect();
                ("json", serde_json::Value::Object(members).to_string())
            }
            Some(Format::Plain) => {
                let encode =
                    |value| percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
                let lines = headers
                    .iter()
                    .map(|(key, value)| format!("{key}: {}\n", encode(value)));
                let length = body.map(|body| format!("Content-Length: {}\n", body.len()));
                let text: String = lines.chain(length).collect();
                ("plain", format!("{text}\n{}", body.unwrap_or_default()))
            }
        };
        let length = text.len();
        self.send(format!(
            "Content-Length: {length}\nContent-Type: text/event-{form}\n\n{text}"
        ))
        .await;
    }

    /// Says that a job was begun; gives its name.
    pub async fn begin_job(&mut self) -> String {
        self.jobs += 1;
        let job = format!("11111111-2222-3333-4444-{:012}", self.jobs);
        self.reply(&format!("+OK Job-UUID: {job}\nJob-UUID: {job}")).await;
        job
    }

    pub async fn end_job(&mut self, job: &str, body: &str) {
        let headers = [("Event-Name", "BACKGROUND_JOB"), ("Job-UUID", job)];
        self.event(&headers, Some(body)).await;
    }

    pub async fn greet(&mut self) {
        self.send("Content-Type: auth/request\n\n").await;
    }

    /// Reads and says nothing until the client hangs up.
    pub async fn fall_silent(&mut self) {
        while self.heard().await.is_some() {}
    }

    /// Reads commands until the client has signed in and subscribed.
    pub async fn accept(&mut self) {
        self.greet().await;
        for (expected, reply) in [
            ("auth", "+OK accepted"),
            ("event", "+OK event listener enabled json"),
        ] {
            let command = self.heard().await.expect("a command");
            assert!(command.starts_with(expected), "{command}");
            self.reply(reply).await;
        }
        self.signed_in = true;
        self.events = Some(Format::Json);
    }
}

/// A scripted FreeSWITCH.
pub type Stage = stage::Stage<Config>;

impl Stage {
    /// `script` plays each connection in turn; it is told the connection's number, from 0.
    pub async fn new<F>(script: impl FnMut(usize, Peer) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        Self::serve(config, script).await
    }

    /// A FreeSWITCH that lives: each connection is greeted, and each command handed to `answer`.
    pub async fn living<F>(answer: impl Fn(Peer, String) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Peer> + Send,
    {
        Self::new(move |_, mut peer| {
            let answer = answer.clone();
            async move {
                peer.greet().await;
                while let Some(command) = peer.asked().await {
                    peer = answer(peer, command).await;
                }
            }
        })
        .await
    }

    /// A client whose connection runs.
    pub async fn client(&mut self) -> Client {
        let (client, connection) = connect(&self.config).await.unwrap();
        self.drive(connection);
        client
    }
}

/// How a test signs in at `port`.
pub fn config(port: u16) -> Config {
    let mut config = Config::new("127.0.0.1", port, password(PASSWORD));
    config.timing = Timing {
        connect: LONG,
        sign_in: LONG,
        idle: LONG,
        ping: LONG,
    };
    config
}

pub fn password(text: &str) -> Password {
    Password::new(SecretString::from(text)).unwrap()
}

pub fn word(text: &str) -> Word {
    Word::new(text).unwrap()
}

pub fn subscription(format: Format) -> Subscription {
    let subscription = Subscription::new(format).event(word("CHANNEL_CREATE")).unwrap();
    subscription.custom(word("sofia::register"))
}
