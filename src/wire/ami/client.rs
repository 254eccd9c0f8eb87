//! The handle that the rest of the program holds: ask, list, run a command, listen.

use std::time::Duration;

use tokio::sync::watch;

use super::action::Action;
use super::answer::{Collector, List};
use super::config::Config;
use super::error::{AnswerError, Error, LinkError, UnsentReason};
use super::link::Ami;
use super::message::Message;
use super::{Connection, EventFeed, LinkState, Supervisor};
use crate::wire::link::{self, Backoff, Handle};

/// Asks things of one Asterisk. Clones share the link.
///
/// Dropping a future of this type withdraws the request: unsent it is never sent, sent its answer is dropped.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Handle<Ami>,
    list_limit: usize,
}

/// Connects and signs in. Requests are answered once [`Connection::run`] is polled.
pub async fn connect(config: &Config) -> Result<(Client, Connection), LinkError> {
    let (handle, connection) = link::connect(config).await?;
    Ok((Client::new(handle, config), connection))
}

/// A client whose link [`Supervisor::run`] keeps up. `chance` gives evenly spread numbers; no secret hangs on them.
pub fn supervise<C: FnMut() -> u32>(config: Config, backoff: Backoff, chance: C) -> (Client, Supervisor<C>) {
    let list_limit = config.limits.list;
    let (handle, supervisor) = link::supervise(config, backoff, chance);
    (Client { handle, list_limit }, supervisor)
}

impl Client {
    fn new(handle: Handle<Ami>, config: &Config) -> Self {
        Self {
            handle,
            list_limit: config.limits.list,
        }
    }

    /// Sends an action that is answered by a single response.
    pub async fn request(&self, action: Action, limit: Duration) -> Result<Message, Error> {
        let name = action.name().to_owned();
        let answer = self.exchange(&name, action, Collector::one(), limit).await?;
        succeeded(&name, answer.response)
    }

    /// Sends an action that is answered by a list of events, and waits for the whole of it.
    ///
    /// Some actions answer an empty list with an error ("No Contacts found"): that is [`Error::Refused`].
    pub async fn list(&self, action: Action, limit: Duration) -> Result<List, Error> {
        let name = action.name().to_owned();
        let collector = Collector::list(self.list_limit);
        let List { response, events } = self.exchange(&name, action, collector, limit).await?;
        Ok(List {
            response: succeeded(&name, response)?,
            events,
        })
    }

    /// Runs a line of Asterisk's command line; gives its output, line by line.
    ///
    /// Many commands say `Success` whatever they did. What a refused one printed is in the error's message.
    pub async fn command(&self, line: &str, limit: Duration) -> Result<Vec<String>, Error> {
        let action = Action::command(line).map_err(|e| Error::Unsent {
            action: "Command".to_owned(),
            reason: UnsentReason::Action(e),
        })?;
        let response = self.request(action, limit).await?;
        Ok(response.all("Output").map(str::to_owned).collect())
    }

    /// Listens to the unsolicited events from now on. Events that answer an action of ours are not among them.
    #[must_use]
    pub fn events(&self) -> EventFeed {
        self.handle.events()
    }

    /// The link's state and its changes.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.handle.link()
    }

    async fn exchange(
        &self,
        name: &str,
        action: Action,
        collector: Collector,
        limit: Duration,
    ) -> Result<List, Error> {
        self.handle.exchange(name, action, collector, limit).await
    }

    #[cfg(test)]
    pub(super) fn pending_requests(&self) -> usize {
        self.handle.pending_requests()
    }
}

/// How much of a refused command's output goes into the error.
const REFUSAL_CHARS: usize = 2000;

fn succeeded(action: &str, response: Message) -> Result<Message, Error> {
    if response.is_success() {
        return Ok(response);
    }
    let action = action.to_owned();
    if !response.is_error() {
        let response = response.response().unwrap_or_default().to_owned();
        return Err(Error::Answer {
            action,
            reason: AnswerError::Response { response },
        });
    }
    // A refused command has its reason in the output; its message only says that output follows.
    let output: Vec<&str> = response.all("Output").collect();
    let message = if output.is_empty() {
        response.get("Message").unwrap_or("no reason given").to_owned()
    } else {
        output.join("\n")
    };
    Err(Error::Refused {
        action,
        message: message.trim().chars().take(REFUSAL_CHARS).collect(),
    })
}
