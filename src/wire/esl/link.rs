//! One signed-in connection: opened, then driven until it breaks.

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::FramedRead;

use super::codec::Codec;
use super::command::{Command, CommandError};
use super::config::Config;
use super::error::{AnswerError, LinkError};
use super::event::Event;
use super::message::{Message, Reply};
use super::turns::{Turn, Turns};
use crate::wire::link::{Hub, Lookup, Outgoing, Protocol, Room, Timing, greeting, within};

/// Commands that are written and not answered yet, those that were given up among them.
const MAX_TURNS: usize = 1024;

type Reader = FramedRead<OwnedReadHalf, Codec>;

/// The event socket's protocol.
#[derive(Debug, Clone)]
pub struct Esl;

/// The text of one answer, for whoever asked.
pub struct Answer(pub(super) String);

/// It may hold passwords.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Answer").field(&self.0.len()).finish()
    }
}

impl Protocol for Esl {
    type Config = Config;
    type Line = Line;
    type Request = Command;
    type Collector = ();
    type Part = Answer;
    type Answer = Answer;
    type Event = Event;
    type LinkError = LinkError;
    type BuildError = CommandError;
    type AnswerError = AnswerError;

    const PEER: &'static str = "FreeSWITCH's event socket";

    fn timing(config: &Config) -> &Timing {
        &config.timing
    }

    fn room(config: &Config) -> Room {
        Room {
            pending: config.limits.pending,
            events: config.limits.events,
        }
    }

    fn life_sign() -> (Command, ()) {
        (Command::life_sign(), ())
    }

    fn collect((): &mut (), answer: Answer) -> Option<Result<Answer, AnswerError>> {
        Some(Ok(answer))
    }

    async fn open(config: &Config, lookup: &mut Lookup) -> Result<Line, LinkError> {
        let timing = &config.timing;
        let address = || config.address();
        let mut line = within::<Self, _>(timing.connect, address(), Line::open(config, lookup)).await?;
        within::<Self, _>(timing.sign_in, address(), line.sign_in(config)).await?;
        Ok(line)
    }

    async fn serve(
        line: &mut Line,
        hub: &Hub<Self>,
        queue: &mut mpsc::Receiver<Outgoing<Self>>,
    ) -> LinkError {
        let (turns, order) = mpsc::channel(MAX_TURNS);
        // Two futures, not one loop: a peer that stops reading must not keep us from reading, or the other way round.
        tokio::select! {
            error = read(&mut line.reader, hub, Turns::new(order)) => error,
            error = write(&mut line.writer, hub, queue, &turns) => error,
        }
    }
}

/// A connection on which the password was accepted, and which sends the events that are wanted.
#[derive(Debug)]
pub struct Line {
    reader: Reader,
    writer: OwnedWriteHalf,
}

impl Line {
    async fn open(config: &Config, lookup: &mut Lookup) -> Result<Self, LinkError> {
        let refused = |source| LinkError::Connect {
            address: config.address(),
            source,
        };
        let place = (config.host.as_str(), config.port);
        let stream = lookup.connect(place).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let (read, writer) = stream.into_split();
        let mut line = Self {
            reader: FramedRead::new(read, Codec::new(config.limits.body)),
            writer,
        };
        let greeting = greeting::<Esl, _>(&mut line.reader, config.address()).await?;
        match Message::from(greeting) {
            Message::AuthRequest => Ok(line),
            Message::Rejected => Err(LinkError::AddressDenied {
                address: config.address(),
            }),
            other => Err(out_of_step(&other)),
        }
    }

    async fn sign_in(&mut self, config: &Config) -> Result<(), LinkError> {
        let answer = self.ask(&Command::auth(&config.password)).await?;
        if !answer.is_ok() {
            return Err(LinkError::LoginRefused { message: answer.text });
        }
        for command in Command::subscribe(&config.events) {
            let answer = self.ask(&command).await?;
            if !answer.is_ok() {
                return Err(LinkError::SubscriptionRefused {
                    command: command.name(),
                    message: answer.text,
                });
            }
        }
        Ok(())
    }

    async fn ask(&mut self, command: &Command) -> Result<Reply, LinkError> {
        send(&mut self.writer, command).await?;
        loop {
            match next_message(&mut self.reader).await? {
                Message::Reply(reply) => return Ok(reply),
                // Nobody listens yet.
                Message::Event(_) | Message::Unreadable(_) | Message::Other { .. } => {}
                Message::Disconnect => return Err(LinkError::Dismissed),
                other => return Err(out_of_step(&other)),
            }
        }
    }
}

pub(super) fn out_of_step(message: &Message) -> LinkError {
    LinkError::OutOfStep {
        content_type: message.content_type().to_owned(),
    }
}

async fn send(writer: &mut OwnedWriteHalf, command: &Command) -> Result<(), LinkError> {
    writer
        .write_all(&command.encode())
        .await
        .map_err(LinkError::Write)
}

async fn next_message(reader: &mut Reader) -> Result<Message, LinkError> {
    match reader.next().await {
        Some(Ok(frame)) => Ok(Message::from(frame)),
        Some(Err(error)) => Err(LinkError::Read(error)),
        None => Err(LinkError::Closed),
    }
}

async fn read(reader: &mut Reader, hub: &Hub<Esl>, mut turns: Turns) -> LinkError {
    loop {
        let message = match next_message(reader).await {
            Ok(message) => message,
            Err(error) => return error,
        };
        hub.pending.heard();
        if let Err(error) = turns.take(hub, message) {
            return error;
        }
    }
}

async fn write(
    writer: &mut OwnedWriteHalf,
    hub: &Hub<Esl>,
    queue: &mut mpsc::Receiver<Outgoing<Esl>>,
    turns: &mpsc::Sender<Turn>,
) -> LinkError {
    while let Some(Outgoing { id, request: command }) = queue.recv().await {
        let Ok(turn) = turns.reserve().await else { break };
        if !hub.pending.mark_sent(id) {
            continue;
        }
        // Before the first byte, so that no answer comes before its turn.
        turn.send(Turn {
            id,
            kind: command.kind(),
        });
        tracing::debug!(command = command.name(), id, "sending");
        if let Err(error) = send(writer, &command).await {
            return error;
        }
    }
    LinkError::Stopped
}
