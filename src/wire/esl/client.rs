//! The handle that the rest of the program holds: ask, have a job done, listen.

use std::time::Duration;

use tokio::sync::watch;

use super::command::{Command, CommandError};
use super::config::Config;
use super::error::{AnswerError, Error, LinkError, UnsentReason};
use super::link::Esl;
use super::{Connection, EventFeed, LinkState, Supervisor};
use crate::wire::link::{self, Backoff, Handle};

/// How much of a refusal goes into the error.
const REFUSAL_CHARS: usize = 2000;

/// Asks things of one FreeSWITCH. Clones share the link.
///
/// Dropping a future of this type withdraws the request: unsent it is never sent, sent its answer is dropped.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Handle<Esl>,
}

/// Connects, signs in and subscribes. Requests are answered once [`Connection::run`] is polled.
pub async fn connect(config: &Config) -> Result<(Client, Connection), LinkError> {
    let (handle, connection) = link::connect(config).await?;
    Ok((Client { handle }, connection))
}

/// A client whose link [`Supervisor::run`] keeps up. `chance` gives evenly spread numbers; no secret hangs on them.
pub fn supervise<C: FnMut() -> u32>(config: Config, backoff: Backoff, chance: C) -> (Client, Supervisor<C>) {
    let (handle, supervisor) = link::supervise(config, backoff, chance);
    (Client { handle }, supervisor)
}

impl Client {
    /// Sends a command; gives the text of its answer as it came. An API function's errors are its text: what starts with
    /// `-ERR` or `-USAGE` is [`Error::Refused`].
    pub async fn request(&self, command: Command, limit: Duration) -> Result<String, Error> {
        let name = command.name();
        let answer = self.handle.exchange(&name, command, (), limit).await?;
        accepted(name, answer.0)
    }

    /// Runs an API function and waits for what it prints. Further ones wait meanwhile.
    ///
    /// `line` is taken apart at its spaces, and by some functions as code: see [`Command::api`].
    pub async fn api(&self, line: &str, limit: Duration) -> Result<String, Error> {
        let command = Command::api(line).map_err(|e| unbuilt("api", e))?;
        self.request(command, limit).await
    }

    /// The same in a thread of its own: `limit` is for the whole of its work, and others are answered meanwhile.
    ///
    /// FreeSWITCH does not end a job because nobody waits for it any longer.
    pub async fn background(&self, line: &str, limit: Duration) -> Result<String, Error> {
        let command = Command::background(line).map_err(|e| unbuilt("bgapi", e))?;
        self.request(command, limit).await
    }

    /// Listens to the subscribed events from now on. `BACKGROUND_JOB`, which answers a job, is not among them.
    #[must_use]
    pub fn events(&self) -> EventFeed {
        self.handle.events()
    }

    /// The link's state and its changes.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.handle.link()
    }

    /// Sends a command and reads its answer.
    pub(super) async fn read<T>(
        &self,
        command: Command,
        limit: Duration,
        read: impl FnOnce(&str) -> Result<T, AnswerError>,
    ) -> Result<T, Error> {
        let action = command.name();
        let text = self.request(command, limit).await?;
        read(&text).map_err(|reason| Error::Answer { action, reason })
    }

    #[cfg(test)]
    pub(super) fn pending_requests(&self) -> usize {
        self.handle.pending_requests()
    }
}

pub(super) fn unbuilt(how: &str, error: CommandError) -> Error {
    Error::Unsent {
        action: how.to_owned(),
        reason: UnsentReason::Action(error),
    }
}

fn accepted(action: String, text: String) -> Result<String, Error> {
    if text.starts_with("-ERR") || text.starts_with("-USAGE") {
        let message = text.trim().chars().take(REFUSAL_CHARS).collect();
        return Err(Error::Refused { action, message });
    }
    Ok(text)
}
