//! One signed-in connection: opened, then driven until it breaks.

use std::net::IpAddr;

use futures_util::StreamExt as _;
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::FramedRead;

use super::action::{Action, ActionError};
use super::answer::{Collector, List};
use super::codec::{Codec, Frame};
use super::config::{Config, Login};
use super::error::{AnswerError, LinkError};
use super::message::Message;
use super::stream::{self, Stream};
use crate::wire::link::{Hub, Lookup, Outgoing, Protocol, Room, Timing, greeting, within};

/// The number of a challenge's action; the login's is 0, and requests count from 1.
const CHALLENGE_ID: u64 = u64::MAX;

type Reader = FramedRead<ReadHalf<Box<dyn Stream>>, Codec>;
type Writer = WriteHalf<Box<dyn Stream>>;

/// The manager's protocol.
#[derive(Debug, Clone)]
pub struct Ami;

impl Protocol for Ami {
    type Config = Config;
    type Line = Line;
    type Request = Action;
    type Collector = Collector;
    type Part = Message;
    type Answer = List;
    type Event = Message;
    type LinkError = LinkError;
    type BuildError = ActionError;
    type AnswerError = AnswerError;

    const PEER: &'static str = "the Asterisk manager";

    fn timing(config: &Config) -> &Timing {
        &config.timing
    }

    fn room(config: &Config) -> Room {
        Room {
            pending: config.limits.pending,
            events: config.limits.events,
        }
    }

    fn life_sign() -> (Action, Collector) {
        (Action::ping(), Collector::one())
    }

    fn collect(collector: &mut Collector, message: Message) -> Option<Result<List, AnswerError>> {
        collector.take(message)
    }

    async fn open(config: &Config, lookup: &mut Lookup) -> Result<Line, LinkError> {
        Line::open(config, lookup).await
    }

    async fn serve(
        line: &mut Line,
        hub: &Hub<Self>,
        queue: &mut mpsc::Receiver<Outgoing<Self>>,
    ) -> LinkError {
        // Two futures, not one loop: a peer that stops reading must not keep us from reading, or the other way round.
        tokio::select! {
            error = read(&mut line.reader, hub, &line.prefix) => error,
            error = write(&mut line.writer, hub, queue, &line.prefix) => error,
        }
    }
}

/// A connection on which the login was accepted.
#[derive(Debug)]
pub struct Line {
    reader: Reader,
    writer: Writer,
    /// Starts our action ids. It is the local port, so no two links to one Asterisk from this host share it at a
    /// time: some events carry the id of the action that caused them to *every* session.
    prefix: String,
}

impl Line {
    async fn open(config: &Config, lookup: &mut Lookup) -> Result<Self, LinkError> {
        let timing = &config.timing;
        let address = || config.endpoint.address();
        let attempt = async {
            let opened = stream::open(&config.endpoint, lookup).await?;
            let (read, writer) = tokio::io::split(opened.stream);
            let mut link = Self {
                reader: FramedRead::new(read, Codec::new(config.limits.frame)),
                writer,
                prefix: format!("{}-", opened.local_port),
            };
            let login = link.greeted(config, opened.peer, opened.sealed).await?;
            Ok((link, login))
        };
        let (mut link, login) = within::<Ami, _>(timing.connect, address(), attempt).await?;
        within::<Ami, _>(timing.sign_in, address(), link.login(&login)).await?;
        Ok(link)
    }

    /// How to log in to who listens there.
    async fn greeted(&mut self, config: &Config, peer: IpAddr, sealed: bool) -> Result<Action, LinkError> {
        let greeting = greeting::<Ami, _>(&mut self.reader, config.endpoint.address());
        if let Frame::Banner(version) = greeting.await? {
            tracing::debug!(version, "manager found");
        }
        let login = match &config.login {
            Login::Secret { username, secret } => Action::login(username, secret, &config.events),
            Login::Challenge {
                username,
                secret,
                clear,
            } => match self.challenge().await? {
                Ok(challenge) => Action::answer_challenge(username, secret, &challenge, &config.events),
                Err(_) if sealed || clear.may_go_to(peer) => Action::login(username, secret, &config.events),
                Err(message) => return Err(LinkError::NoChallenge { message }),
            },
        };
        login.map_err(LinkError::BadLogin)
    }

    async fn login(&mut self, login: &Action) -> Result<(), LinkError> {
        let answer = self.ask(login, 0).await?;
        if answer.is_success() {
            return Ok(());
        }
        Err(LinkError::LoginRefused {
            message: said(&answer),
        })
    }

    /// What the manager asks in place of the secret, or why it does not.
    async fn challenge(&mut self) -> Result<Result<String, String>, LinkError> {
        let answer = self.ask(&Action::challenge(), CHALLENGE_ID).await?;
        match answer.get("Challenge") {
            Some(challenge) if answer.is_success() => Ok(Ok(challenge.to_owned())),
            _ => Ok(Err(said(&answer))),
        }
    }

    async fn ask(&mut self, action: &Action, id: u64) -> Result<Message, LinkError> {
        let id = format!("{}{id}", self.prefix);
        send(&mut self.writer, &action.encode(&id)).await?;
        loop {
            let Frame::Message(message) = next_frame(&mut self.reader).await? else {
                continue;
            };
            if message.response().is_some() && message.action_id() == Some(&id) {
                return Ok(message);
            }
        }
    }
}

/// TLS keeps bytes back until it is told that they are all.
async fn send(writer: &mut Writer, bytes: &[u8]) -> Result<(), LinkError> {
    writer.write_all(bytes).await.map_err(LinkError::Write)?;
    writer.flush().await.map_err(LinkError::Write)
}

/// Why the manager refused something.
fn said(answer: &Message) -> String {
    answer
        .get("Message")
        .unwrap_or("no reason given")
        .trim()
        .to_owned()
}

async fn next_frame(reader: &mut Reader) -> Result<Frame, LinkError> {
    match reader.next().await {
        Some(Ok(frame)) => Ok(frame),
        Some(Err(error)) => Err(LinkError::Read(error)),
        None => Err(LinkError::Closed),
    }
}

async fn read(reader: &mut Reader, hub: &Hub<Ami>, prefix: &str) -> LinkError {
    let mut has_said = false;
    let mut skip = || {
        // Of a link that talks nonsense on and on one line is enough. Not what it says: it is the tail of a value, and nobody
        // knows of which.
        if !std::mem::replace(&mut has_said, true) {
            tracing::warn!(
                "skipped a block that is no manager message, as each further one on this link will be"
            );
        }
        // What it is the tail of may have been an event that read as another.
        hub.lost_event();
    };
    loop {
        let message = match next_frame(reader).await {
            Ok(Frame::Message(message)) if is_of_manager(&message) => message,
            Ok(Frame::Banner(_) | Frame::Malformed(_) | Frame::Message(_)) => {
                skip();
                continue;
            }
            Err(error) => return error,
        };
        hub.pending.heard();
        match our_id(&message, prefix) {
            Some(id) => hub.pending.answer(id, message),
            None if message.event().is_some() => hub.publish(message),
            None => tracing::debug!(?message, "dropped a response to nothing we asked"),
        }
    }
}

/// Whether it is a response or an event: the tail of a value may happen to read as lines with keys.
fn is_of_manager(message: &Message) -> bool {
    message.response().is_some() || message.event().is_some()
}

fn our_id(message: &Message, prefix: &str) -> Option<u64> {
    message.action_id()?.strip_prefix(prefix)?.parse().ok()
}

async fn write(
    writer: &mut Writer,
    hub: &Hub<Ami>,
    queue: &mut mpsc::Receiver<Outgoing<Ami>>,
    prefix: &str,
) -> LinkError {
    while let Some(Outgoing { id, request: action }) = queue.recv().await {
        if !hub.pending.mark_sent(id) {
            continue;
        }
        tracing::debug!(action = action.name(), id, "sending");
        if let Err(error) = send(writer, &action.encode(&format!("{prefix}{id}"))).await {
            return error;
        }
    }
    LinkError::Stopped
}
