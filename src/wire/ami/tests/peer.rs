//! A manager that says exactly what a test tells it to.

use std::collections::HashMap;

use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::wire::ami::{Client, Config, Timing, connect};
use crate::wire::stage;
pub use crate::wire::stage::{LONG, SHORT, eventually, unused_port};

/// The server's end of one connection.
pub struct Peer {
    stream: BufReader<TcpStream>,
}

impl From<TcpStream> for Peer {
    fn from(stream: TcpStream) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }
}

/// One action as it was read.
pub type Asked = HashMap<String, String>;

impl Peer {
    /// The next action; `None` when the client has closed.
    pub async fn asked(&mut self) -> Option<Asked> {
        let mut fields = HashMap::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some((key, value)) => fields.insert(key.to_owned(), value.to_owned()),
                None => return Some(fields),
            };
        }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have hung up: the test looks at the client's side.
        let _ = self.stream.get_mut().write_all(bytes.as_ref()).await;
    }

    /// Answers `asked` with a response; `rest` holds further lines, each with its CR LF.
    pub async fn respond(&mut self, asked: &Asked, kind: &str, rest: &str) {
        self.send(format!(
            "Response: {kind}\r\nActionID: {}\r\n{rest}\r\n",
            asked["ActionID"]
        ))
        .await;
    }

    pub async fn event(&mut self, asked: &Asked, name: &str, rest: &str) {
        self.send(format!(
            "Event: {name}\r\nActionID: {}\r\n{rest}\r\n",
            asked["ActionID"]
        ))
        .await;
    }

    pub async fn greet(&mut self) {
        self.send("Asterisk Call Manager/11.0.0\r\n").await;
    }

    /// Greets and accepts whoever signs in.
    pub async fn accept(&mut self) -> Asked {
        self.greet().await;
        let login = self.asked().await.expect("a login");
        self.respond(&login, "Success", "Message: Authentication accepted\r\n")
            .await;
        login
    }

    /// Reads and says nothing until the client hangs up.
    pub async fn fall_silent(&mut self) {
        while self.asked().await.is_some() {}
    }
}

/// A scripted manager.
pub type Stage = stage::Stage<Config>;

impl Stage {
    /// `script` plays each connection in turn; it is told the connection's number, from 0.
    pub async fn new<F>(script: impl FnMut(usize, Peer) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        Self::serve(config, script).await
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
    let mut config = Config::new("127.0.0.1", port, "lab", SecretString::from("throwaway"));
    config.timing = Timing {
        connect: LONG,
        sign_in: LONG,
        idle: LONG,
        ping: LONG,
    };
    config
}
