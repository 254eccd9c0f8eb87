//! Asterisk's mail boxes: read from its spool, since its own list harms messages of hostile callers, and emptied by Asterisk
//! itself, which closes the gap in the numbers and tells the phones.

mod check;
mod lock;
mod spool;
mod text;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{OnceCell, oneshot};
use tokio::time::sleep;

pub use self::check::check;
use self::spool::{Found, MailSpool, Placed};
use super::AsteriskDriver;
use super::rights::{ActionName, LackingRights, Right};
use super::session::Session;
use crate::domain::dial::ExtensionNumber;
use crate::domain::instance::AbsolutePath;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::PbxMessageId;
use crate::driver::DriverError;
use crate::driver::mail::tree::{MailTree, WHAT as SPOOL};
use crate::driver::mail::turn::{self, Turn};
use crate::driver::mail::{Mail, MailError, MailPlace, MailboxContent, MessageSound};

/// How long nobody works on mail boxes after a removal of which nobody knows whether Asterisk has carried it out.
const UNANSWERED: Duration = Duration::from_mins(1);
const MANAGER: &str = "the manager interface";
const LEFT_LATER: &str = "a message says that it was left later than was known of it";

/// The mail boxes of one Asterisk.
pub struct AsteriskMail<'a> {
    driver: &'a AsteriskDriver,
    session: OnceCell<Arc<Session>>,
    tree: OnceCell<MailTree>,
}

impl<'a> AsteriskMail<'a> {
    pub fn new(driver: &'a AsteriskDriver) -> Self {
        Self {
            driver,
            session: OnceCell::new(),
            tree: OnceCell::new(),
        }
    }

    async fn session(&self) -> Result<&Arc<Session>, MailError> {
        let session = self
            .session
            .get_or_try_init(|| async { self.driver.session().await.map(Arc::new) });
        let session = session.await;
        session.map_err(|error| MailError::unavailable(MANAGER, error))
    }

    async fn tree(&self) -> Result<&MailTree, MailError> {
        let found = self
            .tree
            .get_or_try_init(|| async { tree_of(self.session().await?).await });
        found.await
    }

    async fn turn(&self) -> Result<Turn, MailError> {
        self.tree().await?.turn().await
    }

    async fn find(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Found, MailError> {
        let (of, named, id) = (domain.clone(), mailbox.clone(), id.clone());
        let tree = self.tree().await?;
        let found = tree
            .ask(turn, move |tree| MailSpool(tree).find(&of, &named, &id))
            .await?;
        found.map_err(|error| MailError::refused(mailbox, error))
    }

    /// Asterisk counts the messages of a folder that somebody has open by the numbers that they had then: one that is removed
    /// meanwhile has it delete another one when they hang up (measured).
    async fn see_that_nobody_listens(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<(), MailError> {
        let channels = self
            .session()
            .await?
            .list(ActionName::CoreShowChannels, &[])
            .await;
        let channels = channels.map_err(|error| MailError::unavailable(MANAGER, error))?;
        let mut channels = channels.iter().flat_map(|list| &list.events);
        let is_in_use = channels.any(|channel| {
            let of = |key| channel.get(key).unwrap_or_default();
            let caller = of("CallerIDNum");
            is_main(of("Application")) && may_be_in(of("ApplicationData"), caller, domain, mailbox)
        });
        if is_in_use {
            let mailbox = mailbox.clone();
            return Err(MailError::InUse { mailbox });
        }
        Ok(())
    }

    /// Has Asterisk remove a message; its "Success" says nothing of that. It goes on with it though nobody waits any more, and
    /// so does the turn.
    async fn have_removed(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        placed: &Placed,
    ) -> Result<(), MailError> {
        let headers = [
            ("Context", domain.to_string()),
            ("Mailbox", mailbox.to_string()),
            ("Folder", placed.folder.to_string()),
            ("ID", placed.message.id.to_string()),
        ];
        let (session, turn) = (Arc::clone(self.session().await?), Arc::clone(turn));
        let (answers, answer) = oneshot::channel();
        turn::go_on(async move {
            let headers = headers.each_ref().map(|(key, value)| (*key, value.as_str()));
            let answer = session.ask(ActionName::VoicemailRemove, &headers).await;
            let is_over = matches!(answer, Ok(_) | Err(DriverError::Refused { .. }));
            // Whoever waited may have gone.
            let _ = answers.send(answer);
            if !is_over {
                sleep(UNANSWERED).await;
            }
            drop(turn);
        });
        let answer = answer
            .await
            .map_err(|error| MailError::unavailable(MANAGER, error))?;
        self.answered(mailbox, answer.map(drop)).await
    }

    async fn order(
        &self,
        name: ActionName,
        mailbox: &ExtensionNumber,
        headers: &[(&str, &str)],
    ) -> Result<(), MailError> {
        let answer = self.session().await?.ask(name, headers).await;
        self.answered(mailbox, answer.map(drop)).await
    }

    async fn answered(
        &self,
        mailbox: &ExtensionNumber,
        answer: Result<(), DriverError>,
    ) -> Result<(), MailError> {
        match answer {
            Ok(()) => Ok(()),
            Err(error @ DriverError::Refused { .. }) => {
                Err(MailError::refused(mailbox, self.why(error).await))
            }
            Err(error) => Err(MailError::unavailable(MANAGER, error)),
        }
    }

    /// Names the right where the account lacks it.
    async fn why(&self, error: DriverError) -> Box<dyn std::error::Error + Send + Sync> {
        let Some(session) = self.session.get() else {
            return error.into();
        };
        let Ok(commands) = session.ask(ActionName::ListCommands, &[]).await else {
            return error.into();
        };
        let may = |name: ActionName| commands.fields().any(|(action, _)| action == name.as_str());
        if may(ActionName::VoicemailUserStatus) && !may(ActionName::VoicemailRemove) {
            let account = self.driver.settings.ami_username.clone();
            let lacking = vec![Right::WriteUser];
            return LackingRights { account, lacking }.into();
        }
        error.into()
    }
}

#[async_trait]
impl Mail for AsteriskMail<'_> {
    async fn place(&self) -> Result<Option<MailPlace>, MailError> {
        self.tree().await?.place(&self.turn().await?).await
    }

    async fn mailboxes(
        &self,
        domain: &SipDomain,
        _perhaps: &BTreeSet<ExtensionNumber>,
    ) -> Result<Option<Vec<ExtensionNumber>>, MailError> {
        self.tree().await?.mailboxes(&self.turn().await?, domain).await
    }

    async fn content(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<MailboxContent, MailError> {
        let (of, named) = (domain.clone(), mailbox.clone());
        let (tree, turn) = (self.tree().await?, self.turn().await?);
        let found = tree
            .ask(&turn, move |tree| MailSpool(tree).content(&of, &named))
            .await?;
        found.map_err(|error| MailError::refused(mailbox, error))
    }

    async fn holds(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
        _left_at: Timestamp,
    ) -> Result<bool, MailError> {
        let found = self.find(&self.turn().await?, domain, mailbox, id).await?;
        Ok(!found.placed.is_empty())
    }

    async fn sound(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Option<MessageSound>, MailError> {
        let (of, named, message) = (domain.clone(), mailbox.clone(), id.clone());
        let (tree, turn) = (self.tree().await?, self.turn().await?);
        let open = move |tree: &MailTree| MailSpool(tree).sound(&of, &named, &message);
        tree.open(&turn, mailbox, open).await
    }

    async fn remove(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
        left_by: Timestamp,
    ) -> Result<bool, MailError> {
        // Two removals at once have Asterisk remove others than it was told (measured: 12 of 600).
        let (tree, turn) = (self.tree().await?, self.turn().await?);
        let place = tree.place(&turn).await?;
        let found = self.find(&turn, domain, mailbox, id).await?;
        let Some(first) = found.placed.first() else {
            return Ok(false);
        };
        if found.placed.iter().any(|placed| placed.message.left_at > left_by) {
            return Err(MailError::refused(mailbox, LEFT_LATER));
        }
        self.see_that_nobody_listens(domain, mailbox).await?;
        // Where it keeps deleted messages, Asterisk moves it there, and another one out that may not be old. From there it
        // removes nothing, and says that it does (measured).
        if id.is_asterisks() && !found.keeps_deleted {
            self.have_removed(&turn, domain, mailbox, first).await?;
            let left = self.find(&turn, domain, mailbox, id).await?;
            if tree.place(&turn).await? != place {
                return Err(MailError::unavailable(SPOOL, "its disk was taken away meanwhile"));
            }
            if left.placed.is_empty() {
                return Ok(true);
            }
        }
        // It does not serve the box, cannot read this text or one before it, or keeps what is deleted.
        let (of, named, message) = (domain.clone(), mailbox.clone(), id.clone());
        let removed = tree
            .ask(&turn, move |tree| MailSpool(tree).unlink(&of, &named, &message))
            .await?;
        let removed = removed.map_err(|error| MailError::refused(mailbox, error))?;
        let headers = [("Context", domain.as_str()), ("Mailbox", mailbox.as_str())];
        // It has gone all the same: the phones hear of it with the next message.
        if let Err(error) = self.order(ActionName::VoicemailRefresh, mailbox, &headers).await {
            let error = error.full();
            tracing::warn!(error, %mailbox, %domain, "the phones of a mail box were not told that a message has gone");
        }
        Ok(removed)
    }
}

/// Where the running Asterisk has its mail boxes, as it says itself.
async fn tree_of(session: &Session) -> Result<MailTree, MailError> {
    let spool = session.variable("ASTSPOOLDIR").await;
    let spool = spool.map_err(|error| MailError::unavailable(MANAGER, error))?;
    let spool: AbsolutePath = spool
        .parse()
        .map_err(|invalid| MailError::unavailable(SPOOL, invalid))?;
    Ok(MailTree::new(spool.as_path().join("voicemail")))
}

fn is_main(application: &str) -> bool {
    application.eq_ignore_ascii_case("VoiceMailMain")
}

/// Whether whoever is in `VoiceMailMain(mailbox@context,options)` may be in this mail box: in the one that is named, or, by `*`
/// where a PIN is asked for, in that of the number that they call from; where none is named, in any.
fn may_be_in(data: &str, caller: &str, domain: &SipDomain, mailbox: &ExtensionNumber) -> bool {
    let (named, options) = data.split_once(',').unwrap_or((data, ""));
    let (number, context) = named.split_once('@').unwrap_or((named, ""));
    let is_of_domain = context.is_empty() || context.eq_ignore_ascii_case(domain.as_str());
    // With `p` the number is but the begin of one.
    let is_named = [number, caller].contains(&mailbox.as_str());
    let is_of_box = number.is_empty() || is_named || options.contains('p');
    is_of_domain && is_of_box
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1001@acme.example.com", "", true)]
    #[case("1001@acme.example.com,s", "1002", true)]
    #[case("1001", "", true)]
    #[case("", "", true)]
    #[case("@acme.example.com", "", true)]
    #[case("10@acme.example.com,p", "", true)]
    #[case("1002@acme.example.com", "1003", false)]
    #[case("1002@acme.example.com", "1001", true)]
    #[case("1002@globex.example.com", "1001", false)]
    #[case("1001@globex.example.com", "1001", false)]
    #[case("@globex.example.com", "", false)]
    #[case("1001@acme.example.com.evil", "", false)]
    fn a20_who_may_be_in_a_mail_box_is_told_by_what_their_call_runs_and_where_they_call_from(
        #[case] data: &str,
        #[case] caller: &str,
        #[case] expected: bool,
    ) {
        let (domain, mailbox) = ("acme.example.com".parse().unwrap(), "1001".parse().unwrap());
        assert_eq!(may_be_in(data, caller, &domain, &mailbox), expected);
    }
}
