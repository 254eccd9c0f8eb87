//! Of the connection test, whether messages in mail boxes can be looked at from here.

use super::spool::MailSpool;
use super::{ask_spool, spool_of, turn};
use crate::driver::Check;
use crate::driver::asterisk::session::Session;
use crate::driver::mail::MailError;

const NAME: &str = "mail_boxes";

/// Whether the directories of all mail boxes can be read.
pub async fn check(session: &Session) -> Check {
    match look(session).await {
        Ok(root) => Check::good(NAME, format!("{root} can be read")),
        Err(error) => {
            let user = rustix::process::geteuid().as_raw();
            let mend = format!(
                "have Asterisk's spool at the same place on this host, and let the user {user} read all directories in it, \
                 as a member of the group that they belong to; until then no message of a mail box is listed, removed or \
                 exported"
            );
            Check::bad(NAME, error.full(), mend)
        }
    }
}

async fn look(session: &Session) -> Result<String, MailError> {
    let spool = spool_of(session).await?;
    let turn = turn::take(spool.root()).await?;
    let root = spool.root().display().to_string();
    let looked = ask_spool(&spool, &turn, MailSpool::check).await?;
    looked
        .map(|()| root.clone())
        .map_err(|error| MailError::unavailable(root, error))
}
