//! The daemon's mails: a worker made from the configuration, and the operator's own words in front of the built-in ones.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::app::mail::Mailing;
use crate::config::Config;
use crate::domain::clock::SystemClock;
use crate::domain::error_chain::error_chain;
use crate::domain::mail::{Letter, Mail, PublicUrl, SmtpServer, TlsMode};
use crate::domain::random::SystemRandom;
use crate::outbox::smtp::Step;
use crate::outbox::{Letters, Options, Session, Worker};
use crate::render::RenderError;
use crate::render::mail::MailTemplates;
use crate::store::Store;

/// Mails of other processes, such as commands, come without a nudge.
const PERIOD: Duration = Duration::from_secs(5);

/// Writes with the templates as they stand: an edit counts from the next mail on.
struct Templates {
    overrides: Option<PathBuf>,
}

impl Letters for Templates {
    /// One of the operator's own that fails gives way to the built-in ones: a mail in other words is better than none.
    fn render(&self, mail: &Mail) -> Result<Letter, String> {
        let told = |error: RenderError| error_chain(&error);
        if let Some(directory) = &self.overrides {
            let (templates, problems) = MailTemplates::with_usable_overrides(directory).map_err(told)?;
            for problem in problems {
                tracing::error!("the built-in template is used instead: {}", error_chain(&problem));
            }
            match templates.render(mail) {
                Ok(letter) => return Ok(letter),
                Err(error) => {
                    tracing::error!("the built-in templates are used instead: {}", error_chain(&error));
                }
            }
        }
        let built_in = MailTemplates::built_in().map_err(told)?;
        built_in.render(mail).map_err(told)
    }
}

/// How the use cases reach people.
#[must_use]
pub fn mailing(config: &Config) -> Mailing {
    let of_listener = || PublicUrl::of_listener(config.http.listen);
    Mailing {
        public_url: config.http.public_url.clone().unwrap_or_else(of_listener),
        nudge: config.mail.is_some().then(|| Arc::new(Notify::new())),
    }
}

/// What sends the mails; none where no mail server is configured.
#[must_use]
pub fn worker(config: &Config, store: Store) -> Option<Worker> {
    let mail = config.mail.as_ref()?;
    let options = Options {
        holder: format!("{}/{}", config.node.name, std::process::id()),
        hello: hello(),
        give_up_after: Duration::from_hours(24 * u64::from(mail.give_up_after_days)),
        period: PERIOD,
    };
    let letters = Templates {
        overrides: config.templates.dir.clone(),
    };
    Some(Worker::new(
        store,
        mail.server.clone(),
        Arc::new(letters),
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
        options,
    ))
}

/// How this host calls itself to a mail server: by its name, where that can stand there.
fn hello() -> String {
    let host = rustix::system::uname();
    let is_good = |name: &&str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    };
    let name = host.nodename().to_str().ok().filter(is_good);
    name.unwrap_or("localhost").to_owned()
}

/// Asks the mail server as a mail would, without one; what it answered, or what is wrong with what to do.
pub async fn examine(server: &SmtpServer) -> Result<String, (String, &'static str)> {
    match Session::open(server, &hello()).await {
        Ok(session) => {
            session.quit().await;
            let way = match server.tls {
                TlsMode::Required | TlsMode::StartTls => "with TLS",
                TlsMode::None => "in clear within this host",
            };
            let who = match &server.login {
                Some(login) => format!("signed in as {}", login.username),
                None => "without signing in".to_owned(),
            };
            Ok(format!("{} answers, {way}, {who}", server.place()))
        }
        Err(error) => Err((error.to_string(), mend(error.step))),
    }
}

const fn mend(step: Step) -> &'static str {
    match step {
        Step::Connect => {
            "see that it runs there and can be reached (`mail.host`, `mail.port`), that it speaks TLS from the first byte \
             where `mail.tls` says so, and that `mail.ca_file` holds who signed its certificate"
        }
        Step::StartTls => {
            "see that it offers STARTTLS and that `mail.ca_file` holds who signed its certificate, which must be for \
             `mail.host`; or choose another `mail.tls`"
        }
        Step::SignIn => {
            "correct `mail.username` and `mail.password`; some servers want a password made for programs"
        }
        Step::Sender | Step::Recipient | Step::Content => "read what it says",
    }
}
