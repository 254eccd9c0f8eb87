//! One signed-in TCP connection: opened, then driven until it breaks.

use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::codec::FramedRead;

use super::action::Action;
use super::client::Client;
use super::codec::{Codec, Frame};
use super::config::{Config, Endpoint, Login, Timing};
use super::error::LinkError;
use super::message::Message;
use super::pending::Outgoing;

/// However short `Timing::idle` is set, we do not ping without a pause.
const MIN_IDLE: Duration = Duration::from_millis(20);

/// A connection on which the login was accepted.
#[derive(Debug)]
pub(super) struct Link {
    reader: FramedRead<OwnedReadHalf, Codec>,
    writer: OwnedWriteHalf,
    /// Starts our action ids. It is the local port, so no two links to one Asterisk from this host share it at a
    /// time: some events carry the id of the action that caused them to *every* session.
    prefix: String,
}

impl Link {
    /// Connects and signs in, within the time that `config` gives.
    pub async fn open(config: &Config) -> Result<Self, LinkError> {
        let Endpoint::Tcp { host, port } = &config.endpoint;
        let address = format!("{host}:{port}");
        let limit = config.timing.connect;
        let attempt = async {
            let mut link = Self::connect(host, *port, config.limits.frame)
                .await
                .map_err(|source| LinkError::Connect {
                    address: address.clone(),
                    source,
                })?;
            link.login(config).await?;
            Ok(link)
        };
        match timeout(limit, attempt).await {
            Ok(result) => result,
            Err(_) => Err(LinkError::ConnectTimeout {
                address: address.clone(),
                limit,
            }),
        }
    }

    async fn connect(host: &str, port: u16, max_frame: usize) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let prefix = format!("{}-", stream.local_addr()?.port());
        let (read, writer) = stream.into_split();
        Ok(Self {
            reader: FramedRead::new(read, Codec::new(max_frame)),
            writer,
            prefix,
        })
    }

    async fn login(&mut self, config: &Config) -> Result<(), LinkError> {
        // Before the greeting we do not know who listens there; it gets no secret.
        if let Frame::Banner(version) = next_frame(&mut self.reader).await? {
            tracing::debug!(version, "manager found");
        }
        let Login::Secret { username, secret } = &config.login;
        let login = Action::login(username, secret, &config.events).map_err(LinkError::BadLogin)?;
        let id = format!("{}0", self.prefix);
        self.writer
            .write_all(&login.encode(&id))
            .await
            .map_err(LinkError::Write)?;
        loop {
            let Frame::Message(message) = next_frame(&mut self.reader).await? else {
                continue;
            };
            if message.response().is_none() || message.action_id() != Some(&id) {
                continue;
            }
            if message.is_success() {
                return Ok(());
            }
            let message = message
                .get("Message")
                .unwrap_or("no reason given")
                .trim()
                .to_owned();
            return Err(LinkError::LoginRefused { message });
        }
    }

    /// Serves the requests of `client` and its clones until the link breaks; says why it broke.
    pub async fn run(
        &mut self,
        client: &Client,
        queue: &mut mpsc::Receiver<Outgoing>,
        timing: &Timing,
    ) -> LinkError {
        // Three futures, not one loop: a peer that stops reading must not keep us from reading, or the other
        // way round.
        tokio::select! {
            error = read(&mut self.reader, client, &self.prefix) => error,
            error = write(&mut self.writer, client, queue, &self.prefix) => error,
            error = keep_alive(client, timing) => error,
        }
    }
}

async fn next_frame(reader: &mut FramedRead<OwnedReadHalf, Codec>) -> Result<Frame, LinkError> {
    match reader.next().await {
        Some(Ok(frame)) => Ok(frame),
        Some(Err(error)) => Err(LinkError::Read(error)),
        None => Err(LinkError::Closed),
    }
}

async fn read(reader: &mut FramedRead<OwnedReadHalf, Codec>, client: &Client, prefix: &str) -> LinkError {
    loop {
        let message = match next_frame(reader).await {
            Ok(Frame::Message(message)) => message,
            Ok(Frame::Banner(line) | Frame::Malformed(line)) => {
                // Not the line itself: it is the tail of a value, and nobody knows of which.
                tracing::warn!(length = line.len(), "skipped a block that is no manager message");
                continue;
            }
            Err(error) => return error,
        };
        client.hub().pending.heard();
        match our_id(&message, prefix) {
            Some(id) => client.hub().pending.answer(id, message),
            None if message.event().is_some() => client.hub().publish(message),
            None => tracing::debug!(?message, "dropped a response to nothing we asked"),
        }
    }
}

fn our_id(message: &Message, prefix: &str) -> Option<u64> {
    message.action_id()?.strip_prefix(prefix)?.parse().ok()
}

async fn write(
    writer: &mut OwnedWriteHalf,
    client: &Client,
    queue: &mut mpsc::Receiver<Outgoing>,
    prefix: &str,
) -> LinkError {
    while let Some(Outgoing { id, action }) = queue.recv().await {
        if !client.hub().pending.mark_sent(id) {
            continue;
        }
        tracing::debug!(action = action.name(), id, "sending");
        if let Err(error) = writer.write_all(&action.encode(&format!("{prefix}{id}"))).await {
            return LinkError::Write(error);
        }
    }
    LinkError::Stopped
}

/// Ends only when the link gives no sign of life.
async fn keep_alive(client: &Client, timing: &Timing) -> LinkError {
    let idle = timing.idle.max(MIN_IDLE);
    loop {
        let quiet_for = client.hub().pending.last_heard().elapsed();
        if quiet_for < idle {
            sleep(idle.saturating_sub(quiet_for)).await;
        } else if !client.hub().pending.may_ping() {
            sleep(idle / 4).await;
        } else if !client.is_alive(timing.ping).await {
            return LinkError::Silent { limit: timing.ping };
        }
    }
}
