//! FreeSWITCH's event socket, with its errors told by what is known afterwards.

mod calls;
mod checks;
mod click;
pub mod ended;
mod feed;
mod halves;
pub mod mail;
pub mod users;

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::calls::Dismissed;
pub use self::checks::check;
pub use self::feed::SocketFeed;
use crate::domain::dial::DialNumber;
use crate::domain::finding::Finding;
use crate::domain::instance::HostName;
use crate::domain::leg::{Endpoint, LegId};
use crate::domain::sip_domain::SipDomain;
use crate::driver::{AbsentExtension, DriverError, EndedCalls, Parting};
use crate::wire::esl::{self, Client, Config, Error, LinkError, LinkState, Password, Whose, Word};

/// A question is answered in milliseconds.
pub const ANSWER: Duration = Duration::from_secs(10);
const WHAT: &str = "FreeSWITCH's event socket";

/// A user as FreeSWITCH knows it: number and domain.
pub type User = (String, String);

/// The way to one event socket, with the connection of the last question.
pub struct Socket {
    host: HostName,
    port: u16,
    password: SecretString,
    kept: Mutex<Option<Switch>>,
    /// Who goes with what is written next, as the engine knows it.
    parting: std::sync::Mutex<Parting>,
    /// What became of the calls of whom the last write signed out.
    dismissed: std::sync::Mutex<Dismissed>,
}

impl Socket {
    /// Nothing is connected yet.
    pub fn new(host: HostName, port: u16, password: SecretString) -> Self {
        Self {
            host,
            port,
            password,
            kept: Mutex::default(),
            parting: std::sync::Mutex::default(),
            dismissed: std::sync::Mutex::default(),
        }
    }

    /// Keeps who goes with what is written next.
    pub fn part_from(&self, parting: Parting) {
        *self.parting.lock().unwrap_or_else(PoisonError::into_inner) = parting;
    }

    /// Who goes with it.
    pub fn parting(&self) -> Parting {
        self.parting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Signs out the phones of who is no more and ends their calls; those that went on are told by [`Self::calls_left`].
    /// `silent_domains`: nobody is served in them any more, and they are still there.
    pub async fn dismiss(
        &self,
        switch: &Switch,
        gone_users: &BTreeSet<User>,
        gone_domains: &BTreeSet<String>,
        silent_domains: &BTreeSet<String>,
    ) -> Result<(), DriverError> {
        let removed = self
            .parting()
            .extensions
            .into_iter()
            .filter(|gone| gone.is_removed);
        let removed = removed.map(|gone| user(&gone)).collect();
        let dismissed = switch
            .dismiss(gone_users, gone_domains, silent_domains, &removed)
            .await?;
        *self.dismissed() = dismissed;
        Ok(())
    }

    /// What is to be told of calls that went on, once.
    pub fn calls_left(&self) -> Vec<Finding> {
        std::mem::take(&mut self.dismissed().left)
    }

    /// Ends every call of these domains; those of users who were signed out before are counted too.
    pub async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError> {
        let calls = self.switch().await?.end_calls(domains).await?;
        let before = std::mem::take(&mut self.dismissed().ended);
        let of = |domain: &SipDomain| before.get(domain.as_str()).copied().unwrap_or_default();
        Ok(EndedCalls {
            ended: calls.ended + domains.iter().map(of).sum::<usize>(),
            ..calls
        })
    }

    /// Rings a phone, and once it is answered has it call a number.
    pub async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
        self.switch().await?.call(from, to).await
    }

    /// Ends legs of a call.
    pub async fn hang_up(&self, legs: &[LegId]) -> Result<(), DriverError> {
        self.switch().await?.hang_up_legs(legs).await
    }

    fn dismissed(&self) -> MutexGuard<'_, Dismissed> {
        self.dismissed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that stands.
    pub async fn switch(&self) -> Result<Switch, DriverError> {
        let mut kept = self.kept.lock().await;
        if let Some(switch) = kept.as_ref().filter(|switch| switch.is_up()) {
            return Ok(switch.clone());
        }
        let switch = Switch::open(&self.host, self.port, &self.password).await?;
        *kept = Some(switch.clone());
        Ok(switch)
    }
}

/// A signed-in connection; it ends with its last clone.
#[derive(Clone)]
pub struct Switch {
    client: Client,
    _connection: Arc<JoinSet<()>>,
}

impl Switch {
    /// Connects and signs in.
    async fn open(host: &HostName, port: u16, password: &SecretString) -> Result<Self, DriverError> {
        let password = Password::new(password.clone()).map_err(|error| unreachable(error.into()))?;
        let config = Config::new(host.as_str(), port, password);
        let (client, connection) = esl::connect(&config).await.map_err(|error| match error {
            LinkError::LoginRefused { .. } | LinkError::AddressDenied { .. } => DriverError::Refused {
                what: WHAT.to_owned(),
                source: error.into(),
            },
            error => unreachable(error.into()),
        })?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // How the link ended reaches every request that was under way.
            let _ = connection.run(CancellationToken::new()).await;
        });
        Ok(Self {
            client,
            _connection: Arc::new(tasks),
        })
    }

    /// The client, for questions.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the connection stands, as far as is known.
    fn is_up(&self) -> bool {
        matches!(*self.client.link().borrow(), LinkState::Connected { .. })
    }

    /// Whether it takes orders.
    pub async fn ready(&self) -> Result<(), DriverError> {
        self.hostname().await.map(drop)
    }

    /// The name of its host.
    pub async fn hostname(&self) -> Result<Word, DriverError> {
        self.client.hostname(ANSWER).await.map_err(asked)
    }

    /// Signs out the phones of who is no more, and ends the calls of single users: those of a whole domain are ended, or
    /// left alone, by whoever knows why it is gone. `removed`: single ones also where their domain is gone.
    async fn dismiss(
        &self,
        gone_users: &BTreeSet<User>,
        gone_domains: &BTreeSet<String>,
        silent_domains: &BTreeSet<String>,
        removed: &BTreeSet<User>,
    ) -> Result<Dismissed, DriverError> {
        let single: BTreeSet<User> = gone_users
            .iter()
            .filter(|(_, domain)| !gone_domains.contains(domain))
            .cloned()
            .collect();
        let domains = words(gone_domains)
            .chain(words(silent_domains))
            .map(Whose::Domain);
        // One command for all of a domain instead of thousands.
        let alone = single
            .iter()
            .filter(|(_, domain)| !silent_domains.contains(domain));
        let users = alone.filter_map(|(number, domain)| {
            let (user, domain) = (Word::new(number).ok()?, Word::new(domain).ok()?);
            Some(Whose::User { user, domain })
        });
        let gone: Vec<Whose> = domains.chain(users).collect();
        if gone.is_empty() {
            return Ok(Dismissed::default());
        }
        for profile in self.client.profiles(ANSWER).await.map_err(asked)? {
            for whose in &gone {
                let flushed = self.client.flush_registrations(&profile, whose, ANSWER).await;
                flushed.map_err(|error| told("the end of registrations", error))?;
            }
        }
        let ended: BTreeSet<User> = removed.intersection(gone_users).cloned().chain(single).collect();
        if ended.is_empty() {
            return Ok(Dismissed::default());
        }
        self.end_calls_of(&ended).await
    }
}

/// An extension that goes, as FreeSWITCH knows it.
pub fn user(gone: &AbsentExtension) -> User {
    (gone.number.to_string(), gone.domain.to_string())
}

fn words(texts: &BTreeSet<String>) -> impl Iterator<Item = Word> {
    texts.iter().filter_map(|text| Word::new(text).ok())
}

fn unreachable(source: Box<dyn std::error::Error + Send + Sync>) -> DriverError {
    DriverError::Unreachable {
        what: WHAT.to_owned(),
        source,
    }
}

/// What is known after a question failed.
pub fn asked(error: Error) -> DriverError {
    told("a question to FreeSWITCH", error)
}

/// What is known after a request failed.
pub fn told(what: &str, error: Error) -> DriverError {
    match error {
        error @ Error::Refused { .. } => DriverError::Refused {
            what: what.to_owned(),
            source: error.into(),
        },
        error @ Error::Unsent { .. } => DriverError::Unreachable {
            what: what.to_owned(),
            source: error.into(),
        },
        error => DriverError::unknown(what, error),
    }
}

/// What may stand in a question.
pub fn word(text: &str) -> Result<Word, DriverError> {
    Word::new(text).map_err(|error| DriverError::not_applied("a question to FreeSWITCH", error))
}
