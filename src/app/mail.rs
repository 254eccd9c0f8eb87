//! Mails of the use cases: written in the transaction of what they tell of, or, without a mail server, links for whoever
//! asked to hand on.
//!
//! ```text
//! let mut tx = app.begin("invite")…;                        // user, token's digest, audit entry
//! let link = app.link(Page::Invitation, &token)?;
//! let by_hand = app.post(&mut tx, tenant, &subject, &Mail::Invitation(…)).await?;
//! tx.commit().await?;
//! app.posted();                                             // and `by_hand` is shown once, where it is a link
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Notify;

use super::App;
use super::error::AppError;
use crate::domain::ids::{MessageId, TenantId};
use crate::domain::invalid::FieldErrors;
use crate::domain::mail::{Link, Mail, Page, PublicUrl};
use crate::domain::outbox::{MessageKind, Subject};
use crate::store::outbox::{self, NewMessage, Standing};
use crate::store::{StoreError, Tx};

/// How links begin, and whether they go by mail.
#[derive(Clone)]
pub struct Mailing {
    /// Where people reach the service.
    pub public_url: PublicUrl,
    /// Wakes whoever sends mails; `None` without a mail server.
    pub nudge: Option<Arc<Notify>>,
}

impl Default for Mailing {
    /// No mails, and links for this host.
    fn default() -> Self {
        Self {
            public_url: PublicUrl::of_listener(SocketAddr::from((Ipv4Addr::LOCALHOST, 80))),
            nudge: None,
        }
    }
}

impl App {
    /// The same with another way to people.
    #[must_use]
    pub fn with_mailing(self, mailing: Mailing) -> Self {
        Self { mailing, ..self }
    }

    /// The same with links that begin otherwise.
    #[must_use]
    pub fn with_public_url(mut self, public_url: PublicUrl) -> Self {
        self.mailing.public_url = public_url;
        self
    }

    /// Whether mails are sent; if not, whoever asks for a link is shown it.
    #[must_use]
    pub fn sends_mails(&self) -> bool {
        self.mailing.nudge.is_some()
    }

    /// The link with a token that works once.
    pub fn link(&self, page: Page, token: &SecretString) -> Result<Link, AppError> {
        let link = self.mailing.public_url.link(page, token);
        link.map_err(|invalid| FieldErrors::one("token", invalid.reason()).into())
    }

    /// Puts a mail into the outbox, in the place of one of the same subject that waits there.
    ///
    /// Without a mail server, answers the link that is to be shown once, where the mail holds one.
    pub async fn post(
        &self,
        tx: &mut Tx,
        tenant: Option<TenantId>,
        subject: &Subject,
        mail: &Mail,
    ) -> Result<Option<Link>, AppError> {
        // One of before may wait although there is no mail server any more: its link is worth nothing now.
        outbox::revoke(tx, tenant, subject).await?;
        if !self.sends_mails() {
            return Ok(mail.link().cloned());
        }
        let payload = mail.to_payload().map_err(|source| StoreError::Unwritable {
            what: "outbox.payload",
            source,
        })?;
        let message = NewMessage {
            id: MessageId::fresh(self.ids.as_ref()),
            kind: MessageKind::Mail,
            subject: subject.clone(),
            tenant,
            payload,
            created_at: self.now(),
        };
        outbox::push(tx, &message).await?;
        Ok(None)
    }

    /// Takes back what waits of a subject, whosever it was filed as: it is not sent any more.
    pub async fn take_back(&self, tx: &mut Tx, subject: &Subject) -> Result<(), AppError> {
        outbox::revoke_anywhere(tx, subject).await?;
        Ok(())
    }

    /// How the newest mail of a subject stands.
    pub async fn mail_standing(
        &self,
        tx: &mut Tx,
        tenant: Option<TenantId>,
        subject: &Subject,
    ) -> Result<Option<Standing>, AppError> {
        Ok(outbox::latest(tx, tenant, subject).await?)
    }

    /// To be called after the commit: mails go out at once.
    pub fn posted(&self) {
        if let Some(nudge) = &self.mailing.nudge {
            nudge.notify_one();
        }
    }
}
