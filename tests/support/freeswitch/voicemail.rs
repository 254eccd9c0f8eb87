//! `mod_voicemail`'s list of messages, as its source has it: what is in it, and what becomes of a message that is deleted.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// A message; the file is whoever's who leaves it.
#[derive(Debug, Clone)]
pub struct Message {
    pub uuid: String,
    pub domain: String,
    pub mailbox: String,
    pub created: i64,
    pub read: i64,
    pub caller_name: String,
    pub caller_number: String,
    pub path: PathBuf,
    pub flags: String,
}

/// All of them.
#[derive(Debug, Default)]
pub struct VoiceMail {
    pub messages: Vec<Message>,
    /// FreeSWITCH may not remove files, which it says nowhere.
    pub keeps_files: bool,
    /// Its database refuses to change, which its log alone says.
    pub keeps_rows: bool,
}

const LACKING: &str = "-ERR Missing Arguments\n";
/// With a minus, as these functions say it.
const YES: &str = "-OK\n";

impl VoiceMail {
    /// `vm_fsdb_msg_list <format> <profile> <domain> <user> <folder> <filter>`; any other filter than these means what was read.
    pub fn list(&self, words: &[&str]) -> String {
        let [_, profile, domain, mailbox, _, filter] = words else {
            return LACKING.to_owned();
        };
        if *profile != "default" {
            return "-ERR Profile not found\n".to_owned();
        }
        let of_box = |message: &&Message| message.domain == *domain && message.mailbox == *mailbox;
        let is_asked = |message: &&Message| match *filter {
            "not-read" => message.read == 0,
            "new" => message.flags.is_empty(),
            "save" => message.flags == "save",
            _ => message.read != 0,
        };
        let mut listed = params();
        let mut count = 0;
        for message in self.messages.iter().filter(of_box).filter(is_asked) {
            count += 1;
            listed.insert(format!("VM-List-Message-{count}-UUID"), json!(message.uuid));
        }
        listed.insert("VM-List-Count".to_owned(), json!(count.to_string()));
        Value::Object(listed).to_string()
    }

    /// `vm_fsdb_msg_get <format> <profile> <domain> <user> <uuid>`
    pub fn get(&self, words: &[&str]) -> String {
        let [_, _, domain, mailbox, uuid] = words else {
            return LACKING.to_owned();
        };
        let is_it = |message: &&Message| {
            (
                message.domain.as_str(),
                message.mailbox.as_str(),
                message.uuid.as_str(),
            ) == (*domain, *mailbox, *uuid)
        };
        let mut told = params();
        // Of several the last one's headers stay.
        if let Some(message) = self.messages.iter().rfind(is_it) {
            for (key, value) in [
                ("Received-Epoch", message.created.to_string()),
                ("Read-Epoch", message.read.to_string()),
                ("UUID", message.uuid.clone()),
                ("Caller-Name", message.caller_name.clone()),
                ("Caller-Number", message.caller_number.clone()),
                ("Folder", "inbox".to_owned()),
                ("File-Path", message.path.display().to_string()),
                ("Duration", "5".to_owned()),
                ("Flags", message.flags.clone()),
                ("Read-Flags", "B_NORMAL".to_owned()),
                ("Forwarded-By", String::new()),
            ] {
                told.insert(format!("VM-Message-{key}"), json!(value));
            }
        }
        Value::Object(told).to_string()
    }

    /// `vm_fsdb_msg_delete <profile> <domain> <user> <uuid>`: marked, whatever there is.
    pub fn mark(&mut self, words: &[&str]) -> String {
        let [_, domain, mailbox, uuid] = words else {
            return LACKING.to_owned();
        };
        for message in &mut self.messages {
            let is_it = (
                message.domain.as_str(),
                message.mailbox.as_str(),
                message.uuid.as_str(),
            ) == (*domain, *mailbox, *uuid);
            if is_it && !self.keeps_rows {
                message.flags = "delete".to_owned();
            }
        }
        YES.to_owned()
    }

    /// `vm_fsdb_msg_undelete` and `vm_fsdb_msg_save`, with the same words.
    pub fn unmark(&mut self, words: &[&str], flags: &str) -> String {
        let [_, domain, mailbox, uuid] = words else {
            return LACKING.to_owned();
        };
        for message in &mut self.messages {
            let is_it = (
                message.domain.as_str(),
                message.mailbox.as_str(),
                message.uuid.as_str(),
            ) == (*domain, *mailbox, *uuid);
            if is_it {
                flags.clone_into(&mut message.flags);
            }
        }
        YES.to_owned()
    }

    /// `vm_fsdb_msg_purge <profile> <domain> <user>`: what is marked in that box goes, where its file could be removed.
    pub fn purge(&mut self, words: &[&str]) -> String {
        let [_, domain, mailbox] = words else {
            return LACKING.to_owned();
        };
        let keeps_files = self.keeps_files;
        self.messages.retain(|message| {
            let is_meant =
                message.domain == *domain && message.mailbox == *mailbox && message.flags == "delete";
            !is_meant || keeps_files || std::fs::remove_file(&message.path).is_err()
        });
        YES.to_owned()
    }
}

/// What every answer in JSON begins with.
fn params() -> Map<String, Value> {
    let mut params = Map::new();
    params.insert("Event-Name".to_owned(), json!("REQUEST_PARAMS"));
    params
}
