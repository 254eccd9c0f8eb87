//! A database, a mail server and workers between them; the test owns the clock.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use switchyard::domain::clock::Clock as _;
use switchyard::domain::ids::{IdSource as _, MessageId, SystemIds};
use switchyard::domain::mail::{
    Invitation, Letter, Mail, Page, PasswordChanged, PublicUrl, Recipient, SmtpServer as Server, TlsMode,
};
use switchyard::domain::outbox::{MessageKind, Subject};
use switchyard::domain::random::SystemRandom;
use switchyard::outbox::worker::Rest;
use switchyard::outbox::{Letters, Options, Worker};
use switchyard::render::mail::MailTemplates;
use switchyard::store::outbox::{self, NewMessage, Standing};
use switchyard::store::{Store, Tx};
use tokio_util::sync::CancellationToken;

use super::support::clock::Shifted;
use super::support::database::{Backend, Bench, key};
use super::support::smtp::SmtpServer;

/// The token of every invitation.
pub const TOKEN: &str = "kWq7Zr2mXc9TbL4vNs8yHd3gPf6jRa5e";
pub const ADDRESS: &str = "ann.invited@example.org";

/// The built-in words.
pub struct BuiltIn;

impl Letters for BuiltIn {
    fn render(&self, mail: &Mail) -> Result<Letter, String> {
        let templates = MailTemplates::built_in().map_err(|error| error.to_string())?;
        templates.render(mail).map_err(|error| error.to_string())
    }
}

pub struct World {
    pub bench: Bench,
    pub store: Store,
    pub server: SmtpServer,
    pub settings: Server,
    pub clock: Shifted,
    pub stop: CancellationToken,
}

impl World {
    /// With a server that takes mails from everybody in clear.
    pub async fn new(backend: Backend) -> Self {
        Self::with(backend, SmtpServer::start().await, |_| {}).await
    }

    pub async fn with(backend: Backend, server: SmtpServer, change: impl FnOnce(&mut Server)) -> Self {
        let (bench, store) = Bench::migrated(backend).await;
        let mut settings = Server {
            host: "127.0.0.1".parse().unwrap(),
            port: server.port,
            tls: TlsMode::None,
            ca_file: None,
            login: None,
            from: "Switchyard <pbx@example.com>".parse().unwrap(),
        };
        change(&mut settings);
        Self {
            bench,
            store,
            server,
            settings,
            clock: Shifted::default(),
            stop: CancellationToken::new(),
        }
    }

    /// A worker as another process would have it.
    pub fn worker_on(&self, store: Store, holder: &str) -> Worker {
        let options = Options {
            holder: holder.to_owned(),
            hello: "pbx.example.com".to_owned(),
            give_up_after: Duration::from_hours(3 * 24),
            // Far longer than a test: whatever comes sooner was nudged.
            period: Duration::from_hours(1),
        };
        let (clock, random) = (Arc::new(self.clock.clone()), Arc::new(SystemRandom));
        Worker::new(
            store,
            self.settings.clone(),
            Arc::new(BuiltIn),
            clock,
            random,
            options,
        )
    }

    pub fn worker(&self) -> Worker {
        self.worker_on(self.store.clone(), "one")
    }

    /// Another process on the same database.
    pub async fn another_worker(&self) -> Worker {
        self.worker_on(self.bench.another_store(Some(key('a'))).await, "other")
    }

    /// Everything that is due now is tried once.
    pub async fn work_off(&self) -> Rest {
        self.worker().work_off(&self.stop).await.unwrap()
    }

    /// Writes a mail, as a use case would; gives its subject.
    pub async fn post(&self, mail: &Mail) -> Subject {
        let (message, subject) = self.message(mail);
        let mut tx = self.store.begin("post").await.unwrap();
        outbox::push(&mut tx, &message).await.unwrap();
        tx.commit().await.unwrap();
        subject
    }

    pub fn message(&self, mail: &Mail) -> (NewMessage, Subject) {
        self.message_of(mail.to_payload().unwrap())
    }

    /// The same with a payload that no mail need have written.
    pub fn message_of(&self, payload: SecretString) -> (NewMessage, Subject) {
        let subject = Subject::of("invitation", SystemIds.next()).unwrap();
        let message = NewMessage {
            id: MessageId::fresh(&SystemIds),
            kind: MessageKind::Mail,
            subject: subject.clone(),
            tenant: None,
            payload,
            created_at: self.clock.now(),
        };
        (message, subject)
    }

    pub async fn standing(&self, subject: &Subject) -> Option<Standing> {
        let mut tx = self.store.read("standing").await.unwrap();
        outbox::latest(&mut tx, None, subject).await.unwrap()
    }

    pub async fn begin(&self) -> Tx {
        self.store.begin("test").await.unwrap()
    }

    /// An invitation that is good for a week.
    pub fn invitation(&self) -> Mail {
        self.invitation_to("Ann", "Acme Inc.")
    }

    pub fn invitation_to(&self, name: &str, tenant: &str) -> Mail {
        let url: PublicUrl = "https://pbx.example.com".parse().unwrap();
        let link = url.link(Page::Invitation, &SecretString::from(TOKEN));
        Mail::Invitation(Invitation {
            to: recipient(name),
            tenant: Some(tenant.parse().unwrap()),
            inviter: Some("Bob".parse().unwrap()),
            link: link.unwrap_or_else(|invalid| panic!("{invalid}")),
            expires_at: self.clock.now() + Duration::from_hours(7 * 24),
        })
    }

    /// A mail that does not expire.
    pub fn password_changed(&self) -> Mail {
        Mail::PasswordChanged(PasswordChanged {
            to: recipient("Ann"),
            changed_at: self.clock.now(),
            by: None,
        })
    }
}

fn recipient(name: &str) -> Recipient {
    Recipient {
        address: ADDRESS.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}
