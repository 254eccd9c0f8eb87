//! FreeSWITCH's event socket for the length of one order, with its errors told by what is known afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::touched::{Touched, User};
use crate::domain::instance::FusionPbxSettings;
use crate::driver::DriverError;
use crate::wire::esl::{self, Client, Config, Error, LinkError, Password, Whose, Word};

/// A question is answered in milliseconds.
const ANSWER: Duration = Duration::from_secs(10);
/// A lookup that is under way may write what it read before into the cache: after this it has (measured: 4 to 12 of 400
/// stayed stale with one deletion, none with a second one 30 ms later).
const LOOKUP: Duration = Duration::from_millis(40);

/// A signed-in connection; it ends when this is dropped.
pub struct Switch {
    client: Client,
    _connection: JoinSet<()>,
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
            _connection: tasks,
        })
    }

    /// The client, for questions.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it is up and takes orders.
    pub async fn ready(&self) -> Result<(), DriverError> {
        self.client.hostname(ANSWER).await.map(drop).map_err(|error| told("a question", error))
    }

    /// Has FreeSWITCH look anew at what was touched: what it finds is in its cache again at once, so that a lookup that was
    /// under way could only bring back what was there before, and is waited for.
    pub async fn forget(&self, touched: &Touched) -> Result<(), DriverError> {
        if touched.is_empty() {
            return Ok(());
        }
        let keys = self.keys(touched).await?;
        for round in 0..2 {
            if round > 0 {
                sleep(LOOKUP).await;
            }
            for key in &keys {
                self.client
                    .delete_cached(key, ANSWER)
                    .await
                    .map_err(|error| told("the deletion from FreeSWITCH's cache", error))?;
            }
        }
        Ok(())
    }

    /// One release of FusionPBX puts the host's name before the keys of the directory, others do not (telephony facts).
    async fn keys(&self, touched: &Touched) -> Result<Vec<Word>, DriverError> {
        let host = self.client.hostname(ANSWER).await.map_err(|error| told("a question", error))?;
        let users = touched.users.iter().map(|(number, domain)| format!("directory:{number}@{domain}"));
        let groups = touched.domains.iter().map(|domain| format!("directory:groups:{domain}"));
        let dialplans = touched.domains.iter().map(|domain| format!("dialplan:{domain}"));
        let directory: Vec<String> = users.chain(groups).collect();
        let of_host: Vec<String> = directory.iter().map(|key| format!("{host}:{key}")).collect();
        let keys = directory.into_iter().chain(of_host).chain(dialplans);
        // What is no word was never ours, and FreeSWITCH would take it as code.
        Ok(keys.filter_map(|key| Word::new(key).ok()).collect())
    }

    /// Signs out the phones of who is no more, and ends their calls.
    pub async fn dismiss(&self, touched: &Touched, profiles: &[Word]) -> Result<(), DriverError> {
        let mut gone = Vec::new();
        for domain in touched.gone_domains.iter().filter_map(|domain| Word::new(domain).ok()) {
            gone.push(Whose::Domain(domain));
        }
        let of_gone_domains = |(_, domain): &&User| touched.gone_domains.contains(domain);
        let single = touched.gone_users.iter().filter(|user| !of_gone_domains(user));
        for (number, domain) in single {
            if let (Ok(user), Ok(domain)) = (Word::new(number), Word::new(domain)) {
                gone.push(Whose::User { user, domain });
            }
        }
        for whose in &gone {
            for profile in profiles {
                self.client
                    .flush_registrations(profile, whose, ANSWER)
                    .await
                    .map_err(|error| told("the end of registrations", error))?;
            }
        }
        self.hang_up_domains(&touched.gone_domains).await?;
        self.hang_up_users(&touched.gone_users).await
    }

    /// How many legs of these domains are up.
    pub async fn legs_of(&self, domains: &BTreeSet<String>) -> Result<usize, DriverError> {
        let channels = self.client.channels(ANSWER).await.map_err(|error| told("a question", error))?;
        let of = |presence: &str| presence.split_once('@').is_some_and(|(_, domain)| domains.contains(domain));
        let ours = channels.iter().filter(|channel| of(&channel.presence_id) || domains.contains(&channel.context));
        Ok(ours.count())
    }

    /// Ends every call of these domains.
    pub async fn hang_up_domains(&self, domains: &BTreeSet<String>) -> Result<(), DriverError> {
        for domain in domains.iter().filter_map(|domain| Word::new(domain).ok()) {
            self.client
                .hang_up_domain(&domain, ANSWER)
                .await
                .map_err(|error| told("the end of calls", error))?;
        }
        Ok(())
    }

    /// Ends the calls of single users, by who a leg is of.
    async fn hang_up_users(&self, users: &BTreeSet<User>) -> Result<(), DriverError> {
        if users.is_empty() {
            return Ok(());
        }
        let channels = self.client.channels(ANSWER).await.map_err(|error| told("a question", error))?;
        for channel in channels {
            let of = channel.presence_id.split_once('@');
            let of = of.map(|(number, domain)| (number.to_owned(), domain.to_owned()));
            let Some(uuid) = of.filter(|user| users.contains(user)).and_then(|_| Word::new(channel.uuid).ok())
            else {
                continue;
            };
            match self.client.hang_up(&uuid, ANSWER).await {
                // It has ended by itself meanwhile.
                Ok(()) | Err(Error::Refused { .. }) => {}
                Err(error) => return Err(told("the end of a call", error)),
            }
        }
        Ok(())
    }
}

const WHAT: &str = "FreeSWITCH's event socket";

fn unreachable(source: Box<dyn std::error::Error + Send + Sync>) -> DriverError {
    DriverError::Unreachable {
        what: WHAT.to_owned(),
        source,
    }
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
