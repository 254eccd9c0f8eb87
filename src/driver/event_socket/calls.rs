//! The end of calls, looked at once the table of channels has caught up with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::sleep;

use super::{ANSWER, Switch, User, asked, told, words};
use crate::domain::finding::Finding;
use crate::domain::sip_domain::SipDomain;
use crate::driver::{DriverError, EndedCalls};
use crate::wire::esl::{Channel, Word};

/// How far the table of channels is behind at the most (measured: 60 to 275 ms): a call that began before stands in it, and
/// one that ended does not any more.
const LAG: Duration = Duration::from_millis(300);
/// How often it is looked again: a call that the first look did not show is ended at the second, and missed by the third.
const LOOKS: usize = 2;

/// The legs of calls by their ids.
type Legs = BTreeMap<String, Channel>;

/// Whose calls are meant.
enum Meant<'a> {
    /// Every one of these domains.
    Domains(&'a BTreeSet<String>),
    /// Those of these users.
    Users(&'a BTreeSet<User>),
}

impl Meant<'_> {
    fn has(&self, channel: &Channel) -> bool {
        let user = channel.presence_id.split_once('@');
        match self {
            Self::Domains(domains) => {
                user.is_some_and(|(_, domain)| domains.contains(domain)) || domains.contains(&channel.context)
            }
            Self::Users(users) => {
                user.is_some_and(|(number, domain)| users.contains(&(number.to_owned(), domain.to_owned())))
            }
        }
    }
}

/// What became of the calls of single users.
#[derive(Default)]
pub(super) struct Dismissed {
    /// How many legs went, by the domain of their users.
    pub(super) ended: BTreeMap<String, usize>,
    /// What is to be told of those that went on.
    pub(super) left: Vec<Finding>,
}

impl Switch {
    /// Ends every call of these domains; gives how many of their legs went, and how many did not.
    pub(super) async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError> {
        let names = domains.iter().map(ToString::to_string).collect();
        let (ended, left) = self.end(&Meant::Domains(&names)).await?;
        Ok(EndedCalls {
            ended: ended.len(),
            left: left.len(),
        })
    }

    /// Ends every call of these users.
    pub(super) async fn end_calls_of(&self, users: &BTreeSet<User>) -> Result<Dismissed, DriverError> {
        let (ended, left) = self.end(&Meant::Users(users)).await?;
        let finding = |(uuid, leg): (String, Channel)| {
            let whose = leg.presence_id;
            let message = format!(
                "a call of {whose} goes on although it was asked to end; end it with `uuid_kill {uuid}` in `fs_cli`"
            );
            Finding::warning("call_left", message).about(format!("extension {whose}"))
        };
        let mut dismissed = Dismissed {
            left: left.into_iter().map(finding).collect(),
            ..Dismissed::default()
        };
        for leg in ended.into_values() {
            if let Some((_, domain)) = leg.presence_id.split_once('@') {
                *dismissed.ended.entry(domain.to_owned()).or_default() += 1;
            }
        }
        Ok(dismissed)
    }

    /// Gives the legs that went, and those that did not.
    async fn end(&self, meant: &Meant<'_>) -> Result<(Legs, Legs), DriverError> {
        let mut left = self.legs(meant).await?;
        self.hang_up(meant, &left).await?;
        let mut seen = left.clone();
        for look in 1..=LOOKS {
            sleep(LAG).await;
            left = self.legs(meant).await?;
            seen.extend(left.clone());
            if left.is_empty() {
                break;
            }
            if look < LOOKS {
                self.hang_up(meant, &left).await?;
            }
        }
        seen.retain(|uuid, _| !left.contains_key(uuid));
        Ok((seen, left))
    }

    async fn legs(&self, meant: &Meant<'_>) -> Result<Legs, DriverError> {
        let channels = self.client().channels(ANSWER).await.map_err(asked)?;
        let meant = channels.into_iter().filter(|channel| meant.has(channel));
        Ok(meant.map(|channel| (channel.uuid.clone(), channel)).collect())
    }

    /// Of a domain also those that the table does not show yet.
    async fn hang_up(&self, meant: &Meant<'_>, legs: &Legs) -> Result<(), DriverError> {
        match meant {
            Meant::Domains(domains) => {
                for domain in words(domains) {
                    let ended = self.client().hang_up_domain(&domain, ANSWER).await;
                    ended.map_err(|error| told("the end of calls", error))?;
                }
            }
            Meant::Users(_) => {
                for uuid in legs.keys().filter_map(|uuid| Word::new(uuid).ok()) {
                    // It may have ended by itself meanwhile.
                    let ended = self.client().hang_up(&uuid, ANSWER).await;
                    ended.map_err(|error| told("the end of a call", error))?;
                }
            }
        }
        Ok(())
    }
}
