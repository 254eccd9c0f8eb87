//! Of the connection test, whether messages in mail boxes can be looked at from here.

use std::time::Duration;

use super::spool::MailSpool;
use super::{ask_spool, spool_of, turn};
use crate::driver::Check;
use crate::driver::asterisk::session::Session;
use crate::driver::mail::MailError;

const NAME: &str = "mail_boxes";
/// A disk that hangs keeps the turn for as long as it does: the other checks do not wait for that.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the directories of all mail boxes can be read.
pub async fn check(session: &Session) -> Check {
    let error = match look(session).await {
        Ok(Looked::Read(root)) => return Check::good(NAME, format!("{root} can be read")),
        Ok(Looked::Busy(root)) => {
            let detail = format!(
                "something else has worked on the mail boxes in {root} for {} seconds or more, so they were not looked at",
                PATIENCE.as_secs()
            );
            let mend =
                "test again; where it says so each time, see whether the disk that they lie on answers";
            return Check::bad(NAME, detail, mend);
        }
        Err(error) => error,
    };
    let user = rustix::process::geteuid().as_raw();
    let mend = format!(
        "have Asterisk's spool at the same place on this host, with no other disk mounted in it below `voicemail`, and let the \
         user {user} read all directories in it, as a member of the group that they belong to; until then no message of a mail \
         box is listed, removed or exported"
    );
    Check::bad(NAME, error.full(), mend)
}

enum Looked {
    Read(String),
    Busy(String),
}

async fn look(session: &Session) -> Result<Looked, MailError> {
    let spool = spool_of(session).await?;
    let root = spool.root().display().to_string();
    let Ok(turn) = turn::take_within(spool.root(), PATIENCE).await else {
        return Ok(Looked::Busy(root));
    };
    match ask_spool(&spool, &turn, MailSpool::check).await? {
        Ok(()) => Ok(Looked::Read(root)),
        Err(error) => Err(MailError::unavailable(root, error)),
    }
}
