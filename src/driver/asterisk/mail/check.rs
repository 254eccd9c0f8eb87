//! Of the connection test, whether messages in mail boxes can be looked at from here.

use super::tree_of;
use crate::driver::Check;
use crate::driver::asterisk::session::Session;
use crate::driver::mail::tree::unread;

const MEND: &str = "have Asterisk's spool at the same place on this host, with no other disk mounted in it below `voicemail`";

/// Whether the directories of all mail boxes can be read.
pub async fn check(session: &Session) -> Check {
    match tree_of(session).await {
        Ok(tree) => tree.check(MEND).await,
        Err(error) => unread(&error, MEND),
    }
}
