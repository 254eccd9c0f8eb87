//! What a caller has said, opened while Asterisk may give the message another number.

use std::io;

use super::reading::{message, number};
use super::{MailSpool, TRIES, names, within};
use crate::domain::dial::ExtensionNumber;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::PbxMessageId;
use crate::driver::mail::opened::{Opened, open_one};

impl MailSpool<'_> {
    /// Opens what was said in a message; none where that is not there.
    pub fn sound(
        self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> io::Result<Option<Opened>> {
        let root = self.0.open_root()?.ok_or(io::ErrorKind::NotFound)?;
        let mut is_silent = false;
        for _ in 0..TRIES {
            let Some(placed) = self.find(domain, mailbox, id)?.placed.into_iter().next() else {
                return Ok(None);
            };
            let folder = placed.folder;
            let Some(directory) = within(&root, &format!("{domain}/{mailbox}/{folder}"))? else {
                continue;
            };
            let mut files = names(&directory)?;
            files.retain(|name| number(name) == Some(&placed.number));
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let sounds = files.iter().copied().filter(|name| !is_text(name));
            let opened = open_one(&directory, sounds.collect())?;
            // Asterisk renames the sounds first and the text last: under a number whose text is the message's before and after,
            // no other one's sound is.
            let text = message(&directory, &placed.number, &files, mailbox, folder)?;
            let is_there = text.is_some_and(|text| text.message.id == *id);
            is_silent = opened.is_none() && is_there;
            if opened.is_some() && is_there {
                return Ok(opened);
            }
        }
        if is_silent {
            return Ok(None);
        }
        Err(io::Error::other(
            "a message was moved each time that it was looked for",
        ))
    }
}

fn is_text(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending == "txt")
}
