//! FreeSWITCH's event socket, with its errors told by what is known afterwards.

pub mod users;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::fusionpbx::touched::{Touched, User};
use crate::domain::instance::FusionPbxSettings;
use crate::driver::DriverError;
use crate::wire::esl::{self, Channel, Client, Config, Error, LinkError, LinkState, Password, Whose, Word};

/// A question is answered in milliseconds.
pub const ANSWER: Duration = Duration::from_secs(10);
/// A lookup that is under way may write what it read before into the cache: after this it has (measured: 4 to 12 of 400
/// stayed stale with one deletion, none with a second one 30 ms later).
const LOOKUP: Duration = Duration::from_millis(40);
/// Keys that one command deletes: some ten kilobytes.
const KEYS: usize = 200;

const WHAT: &str = "FreeSWITCH's event socket";

/// A signed-in connection; it ends with its last clone.
#[derive(Clone)]
pub struct Switch {
    client: Client,
    _connection: Arc<JoinSet<()>>,
}

impl Switch {
    /// Connects and signs in.
    pub async fn open(settings: &FusionPbxSettings, password: &SecretString) -> Result<Self, DriverError> {
        let password = Password::new(password.clone()).map_err(|error| unreachable(error.into()))?;
        let host = settings.event_socket_host.as_str();
        let config = Config::new(host, settings.event_socket_port, password);
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
    pub fn is_up(&self) -> bool {
        matches!(*self.client.link().borrow(), LinkState::Connected { .. })
    }

    /// Whether it takes orders.
    pub async fn ready(&self) -> Result<(), DriverError> {
        self.hostname().await.map(drop)
    }

    async fn hostname(&self) -> Result<Word, DriverError> {
        self.client.hostname(ANSWER).await.map_err(asked)
    }

    async fn channels(&self) -> Result<Vec<Channel>, DriverError> {
        self.client.channels(ANSWER).await.map_err(asked)
    }

    /// Has FreeSWITCH look anew at what was touched: twice, since a lookup that is under way may bring back what was there
    /// before.
    pub async fn forget(&self, touched: &Touched) -> Result<(), DriverError> {
        if touched.is_empty() {
            return Ok(());
        }
        let keys = keys(touched, self.hostname().await?.as_str());
        self.delete(&keys).await?;
        sleep(LOOKUP).await;
        self.delete(&keys).await
    }

    async fn delete(&self, keys: &[Word]) -> Result<(), DriverError> {
        for some in keys.chunks(KEYS) {
            let deleted = self.client.delete_all_cached(some, ANSWER).await;
            deleted.map_err(|error| told("the deletion from FreeSWITCH's cache", error))?;
        }
        Ok(())
    }

    /// Signs out the phones of who is no more, and ends the calls of single users: those of a whole domain are ended, or
    /// left alone, by whoever knows why it is gone.
    pub async fn dismiss(&self, touched: &Touched) -> Result<(), DriverError> {
        let single: BTreeSet<User> = touched
            .gone_users
            .iter()
            .filter(|(_, domain)| !touched.gone_domains.contains(domain))
            .cloned()
            .collect();
        let domains = words(&touched.gone_domains).map(Whose::Domain);
        let users = single.iter().filter_map(|(number, domain)| {
            let (user, domain) = (Word::new(number).ok()?, Word::new(domain).ok()?);
            Some(Whose::User { user, domain })
        });
        let gone: Vec<Whose> = domains.chain(users).collect();
        if gone.is_empty() {
            return Ok(());
        }
        for profile in self.client.profiles(ANSWER).await.map_err(asked)? {
            for whose in &gone {
                let flushed = self.client.flush_registrations(&profile, whose, ANSWER).await;
                flushed.map_err(|error| told("the end of registrations", error))?;
            }
        }
        self.hang_up_users(&single).await
    }

    /// How many legs of these domains are up.
    pub async fn legs_of(&self, domains: &BTreeSet<String>) -> Result<usize, DriverError> {
        let channels = self.channels().await?;
        let is_of = |channel: &&Channel| {
            let present = user(channel).is_some_and(|(_, domain)| domains.contains(&domain));
            present || domains.contains(&channel.context)
        };
        Ok(channels.iter().filter(is_of).count())
    }

    /// Ends every call of these domains.
    pub async fn hang_up_domains(&self, domains: &BTreeSet<String>) -> Result<(), DriverError> {
        for domain in words(domains) {
            let ended = self.client.hang_up_domain(&domain, ANSWER).await;
            ended.map_err(|error| told("the end of calls", error))?;
        }
        Ok(())
    }

    async fn hang_up_users(&self, users: &BTreeSet<User>) -> Result<(), DriverError> {
        if users.is_empty() {
            return Ok(());
        }
        for channel in self.channels().await? {
            if !user(&channel).is_some_and(|user| users.contains(&user)) {
                continue;
            }
            let Ok(uuid) = Word::new(channel.uuid) else {
                continue;
            };
            // It may have ended by itself meanwhile.
            let ended = self.client.hang_up(&uuid, ANSWER).await;
            ended.map_err(|error| told("the end of a call", error))?;
        }
        Ok(())
    }
}

/// One release of FusionPBX puts the host's name before the keys of the directory, others do not.
fn keys(touched: &Touched, host: &str) -> Vec<Word> {
    let users = touched.users.iter();
    let users = users.map(|(number, domain)| format!("directory:{number}@{domain}"));
    let groups = touched
        .domains
        .iter()
        .map(|domain| format!("directory:groups:{domain}"));
    let directory: Vec<String> = users.chain(groups).collect();
    let of_host = directory.iter().map(|key| format!("{host}:{key}"));
    let dialplans = touched.domains.iter().map(|domain| format!("dialplan:{domain}"));
    let keys = directory.iter().cloned().chain(of_host).chain(dialplans);
    // What is no word was never ours, and FreeSWITCH would take it as code.
    keys.filter_map(|key| Word::new(key).ok()).collect()
}

fn words(texts: &BTreeSet<String>) -> impl Iterator<Item = Word> {
    texts.iter().filter_map(|text| Word::new(text).ok())
}

/// Whose leg it is.
fn user(channel: &Channel) -> Option<User> {
    let (number, domain) = channel.presence_id.split_once('@')?;
    Some((number.to_owned(), domain.to_owned()))
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
fn told(what: &str, error: Error) -> DriverError {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_deleted_under_both_of_its_names_and_nothing_that_is_no_word() {
        let touched = Touched {
            users: BTreeSet::from([
                ("1001".to_owned(), "acme.example.com".to_owned()),
                ("\")x(\"".to_owned(), "acme.example.com".to_owned()),
            ]),
            domains: BTreeSet::from(["acme.example.com".to_owned()]),
            ..Touched::default()
        };
        let keys: Vec<String> = keys(&touched, "vm").iter().map(ToString::to_string).collect();
        assert_eq!(
            keys,
            [
                "directory:1001@acme.example.com",
                "directory:groups:acme.example.com",
                "vm:directory:1001@acme.example.com",
                "vm:directory:groups:acme.example.com",
                "dialplan:acme.example.com",
            ]
        );
    }
}
