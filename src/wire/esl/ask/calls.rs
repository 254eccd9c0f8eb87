//! The legs of calls that are up, and their end.

use std::time::Duration;

use serde::Deserialize;

use super::{done, form, show};
use crate::wire::esl::command::Command;
use crate::wire::esl::{Client, Error, Event, Word};

/// How FreeSWITCH words that there is no such channel.
const NO_CHANNEL: &str = "-ERR No such channel!";

/// One leg of a call, in FreeSWITCH's own words for its columns. What is not known is empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Channel {
    pub uuid: String,
    /// Of the call that this leg belongs to: the uuid of its first leg.
    pub call_uuid: String,
    /// `inbound` or `outbound`, as FreeSWITCH sees it.
    pub direction: String,
    /// `CS_EXECUTE`, …
    pub state: String,
    /// `RINGING`, `ACTIVE`, `HELD`, …
    pub callstate: String,
    /// `sofia/internal/1001@demo.local`
    pub name: String,
    pub context: String,
    pub dest: String,
    pub cid_name: String,
    pub cid_num: String,
    pub callee_name: String,
    pub callee_num: String,
    pub presence_id: String,
    pub accountcode: String,
    pub application: String,
    pub application_data: String,
    pub ip_addr: String,
    /// Seconds since 1970.
    pub created_epoch: String,
}

impl Client {
    /// All legs. The table lags a call by up to 275 ms (measured).
    pub async fn channels(&self, limit: Duration) -> Result<Vec<Channel>, Error> {
        let command = Command::words("show channels as json", &[]);
        self.read(command, limit, show::rows).await
    }

    /// All that is known of one leg, its variables as `variable_…`; `None` if there is no such leg.
    pub async fn channel(&self, uuid: &Word, limit: Duration) -> Result<Option<Event>, Error> {
        let command = Command::words("uuid_dump", &[uuid]);
        let read = self.read(command, limit, |text| {
            Event::from_plain(text.as_bytes()).map_err(|_| form("a leg's headers", text))
        });
        match read.await {
            Err(Error::Refused { message, .. }) if message == NO_CHANNEL => Ok(None),
            read => read.map(Some),
        }
    }

    /// Ends each call of which a leg has this domain as its variable `domain_name`.
    pub async fn hang_up_domain(&self, domain: &Word, limit: Duration) -> Result<(), Error> {
        let command = Command::words("hupall MANAGER_REQUEST domain_name", &[domain]);
        self.read(command, limit, done).await
    }

    /// Calls a user, and leads the call on to a number of a context once it is answered. The user's phone shows that number.
    ///
    /// It is the work of a thread of its own, which goes on when nobody waits for it any longer: done is what was answered.
    pub async fn call_for(
        &self,
        user: &Word,
        number: &Word,
        context: &Word,
        limit: Duration,
    ) -> Result<(), Error> {
        let shown = format!("origination_caller_id_number={number},origination_caller_id_name={number}");
        let line = format!("originate {{{shown}}}user/{user} {number} XML {context}");
        self.background(&line, limit).await.map(drop)
    }

    /// Ends the call of one leg; whether there was such a leg.
    pub async fn hang_up(&self, uuid: &Word, limit: Duration) -> Result<bool, Error> {
        let command = Command::words("uuid_kill", &[uuid]);
        match self.read(command, limit, done).await {
            Err(Error::Refused { message, .. }) if message == NO_CHANNEL => Ok(false),
            read => read.map(|()| true),
        }
    }
}
