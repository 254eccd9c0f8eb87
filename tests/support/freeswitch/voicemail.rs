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
        if let Some(message) = self.messages.iter().find(is_it) {
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

    /// `vm_delete <id>@<domain> <uuid>`: with a uuid the box is not looked at, and it is a yes whatever it did.
    pub fn delete(&mut self, words: &[&str]) -> String {
        let (account, uuid) = match words {
            [account, uuid] => (*account, Some(*uuid)),
            [account] => (*account, None),
            _ => return "Usage: <id>@<domain>[/profile] [<uuid>]\n".to_owned(),
        };
        let Some((mailbox, domain)) = account.split_once('@') else {
            return "-ERR can't find user or profile.\n".to_owned();
        };
        let (keeps_files, keeps_rows) = (self.keeps_files, self.keeps_rows);
        self.messages.retain(|message| {
            let is_meant = match uuid {
                Some(uuid) => message.uuid == uuid,
                None => message.mailbox == mailbox && message.domain == domain,
            };
            if is_meant && !keeps_files {
                // It says nothing where it cannot.
                let _ = std::fs::remove_file(&message.path);
            }
            !is_meant || keeps_rows
        });
        "+OK\n".to_owned()
    }
}

/// What every answer in JSON begins with.
fn params() -> Map<String, Value> {
    let mut params = Map::new();
    params.insert("Event-Name".to_owned(), json!("REQUEST_PARAMS"));
    params
}
