//! One session of the test's mail server: what a client may say, and what it is answered.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{Accepted, At, Fault, State, Way, lock, plain};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The client is gone, or is to be.
struct Gone;

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

pub struct Session {
    state: Arc<State>,
    stream: BufReader<Box<dyn Stream>>,
    encrypted: bool,
    greeted: bool,
    account: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

impl Session {
    pub async fn serve(state: Arc<State>, stream: TcpStream) {
        let way = state.way.clone();
        let (stream, encrypted): (Box<dyn Stream>, bool) = match way {
            // Who does not like the certificate goes away.
            Way::Tls(acceptor) => match acceptor.accept(stream).await {
                Ok(stream) => (Box::new(stream), true),
                Err(_) => return,
            },
            Way::Clear | Way::StartTls(_) => (Box::new(stream), false),
        };
        let session = Self {
            state,
            stream: BufReader::new(stream),
            encrypted,
            greeted: false,
            account: None,
            from: None,
            to: Vec::new(),
        };
        let (Ok(()) | Err(Gone)) = session.talk().await;
    }

    async fn talk(mut self) -> Result<(), Gone> {
        self.answer(At::Greeting, "220 mail.example.com ESMTP").await?;
        loop {
            let line = self.line().await?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    self.greeted = true;
                    let text = self.offers();
                    self.answer(At::Command("EHLO"), &text).await?;
                }
                "STARTTLS" => self = self.starttls().await?,
                "AUTH" => self.auth(rest).await?,
                "MAIL" => self.mail(rest).await?,
                "RCPT" => {
                    self.to.push(address(rest));
                    self.answer(At::Command("RCPT"), "250 ok").await?;
                }
                "DATA" => self.data().await?,
                "QUIT" => {
                    self.answer(At::Command("QUIT"), "221 bye").await?;
                    return Ok(());
                }
                _ => {
                    self.breach(&format!("unknown command: {line}"));
                    self.say("500 unknown").await?;
                }
            }
        }
    }

    fn offers(&self) -> String {
        let last = if matches!(self.state.way, Way::StartTls(_)) && !self.encrypted {
            "STARTTLS"
        } else if self.state.account.is_some() {
            "AUTH PLAIN LOGIN"
        } else {
            "HELP"
        };
        format!("250-mail.example.com\r\n250-SIZE 1000000\r\n250 {last}")
    }

    async fn starttls(mut self) -> Result<Self, Gone> {
        let Way::StartTls(acceptor) = self.state.way.clone() else {
            self.say("502 not here").await?;
            return Ok(self);
        };
        self.answer(At::Command("STARTTLS"), "220 go on").await?;
        let stream = acceptor.accept(self.stream.into_inner()).await?;
        Ok(Self {
            stream: BufReader::new(Box::new(stream)),
            encrypted: true,
            greeted: false,
            ..self
        })
    }

    async fn auth(&mut self, rest: &str) -> Result<(), Gone> {
        if matches!(self.state.way, Way::StartTls(_)) && !self.encrypted {
            self.breach("a password in clear");
        }
        let given = rest.strip_prefix("PLAIN ").unwrap_or_default();
        let is_right = self.state.account.is_some_and(|(name, password)| {
            let wanted = plain(name, password);
            self.account = (wanted == given).then(|| name.to_owned());
            self.account.is_some()
        });
        let text = if is_right {
            "235 welcome"
        } else {
            "535 5.7.8 wrong"
        };
        self.answer(At::Command("AUTH"), text).await
    }

    async fn mail(&mut self, rest: &str) -> Result<(), Gone> {
        if !self.greeted {
            self.breach("MAIL before EHLO");
        }
        if matches!(self.state.way, Way::StartTls(_)) && !self.encrypted {
            self.breach("MAIL in clear");
        }
        if self.state.account.is_some() && self.account.is_none() {
            return self.say("530 5.7.0 sign in first").await;
        }
        self.from = Some(address(rest));
        self.to.clear();
        self.answer(At::Command("MAIL"), "250 ok").await
    }

    async fn data(&mut self) -> Result<(), Gone> {
        let (Some(from), false) = (self.from.take(), self.to.is_empty()) else {
            self.breach("DATA without MAIL and RCPT");
            return self.say("503 not yet").await;
        };
        self.answer(At::Command("DATA"), "354 go on").await?;
        let mut content = String::new();
        loop {
            let line = self.line().await?;
            if line == "." {
                break;
            }
            content.push_str(line.strip_prefix('.').unwrap_or(&line));
            content.push_str("\r\n");
            if self.fault(At::MidContent).is_some() {
                return Err(Gone);
            }
        }
        let accepted = Accepted {
            from,
            to: std::mem::take(&mut self.to),
            content,
            encrypted: self.encrypted,
            account: self.account.clone(),
        };
        if let Some(Fault::Answer(text)) = self.fault(At::Content) {
            let text = text.replace("{link}", &accepted.link());
            return self.say(&text).await;
        }
        lock(&self.state.accepted).push(accepted);
        self.answer(At::Content, "250 2.0.0 kept").await
    }

    fn fault(&self, at: At) -> Option<Fault> {
        let fault = lock(&self.state.fault);
        fault
            .as_ref()
            .filter(|(there, _)| *there == at)
            .map(|(_, fault)| fault.clone())
    }

    async fn answer(&mut self, at: At, text: &str) -> Result<(), Gone> {
        match self.fault(at) {
            None => self.say(text).await,
            Some(Fault::Answer(text)) => self.say(&text).await,
            Some(Fault::Silence) => {
                self.state.going_on.notified().await;
                self.say(text).await
            }
            Some(Fault::Cut) => Err(Gone),
        }
    }

    async fn say(&mut self, text: &str) -> Result<(), Gone> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    /// A line, without its end.
    async fn line(&mut self) -> Result<String, Gone> {
        let mut bytes = Vec::new();
        if self.stream.read_until(b'\n', &mut bytes).await? == 0 {
            return Err(Gone);
        }
        let line = String::from_utf8(bytes).unwrap();
        lock(&self.state.heard).push_str(&line);
        let Some(text) = line.strip_suffix("\r\n") else {
            self.breach(&format!("a line that ends otherwise: {line:?}"));
            return Err(Gone);
        };
        if text.len() > 998 || !text.is_ascii() || text.contains(['\r', '\0']) {
            self.breach(&format!("no line of a mail: {text:?}"));
        }
        Ok(text.to_owned())
    }

    fn breach(&self, what: &str) {
        lock(&self.state.breaches).push(what.to_owned());
    }
}

/// `FROM:<a@example.com> …` or `TO:<a@example.com>`.
fn address(rest: &str) -> String {
    let (_, rest) = rest.split_once('<').unwrap_or_default();
    rest.split_once('>').map_or("", |(address, _)| address).to_owned()
}
