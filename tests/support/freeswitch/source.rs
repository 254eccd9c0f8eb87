//! Where FreeSWITCH has its users and contexts from.

use std::path::PathBuf;
use std::sync::Mutex;

use super::directory::{self, User};
use super::files::{self, Globals};
use super::fusion::Fusion;
use super::xml::{self, Element};

/// One of three.
#[derive(Debug)]
pub enum Source {
    /// Nobody.
    Nothing,
    /// FusionPBX's tables.
    Fusion(Box<Fusion>),
    Files(Files),
}

/// A directory of files, and the document that was made of it at last.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    document: Mutex<Element>,
}

impl Source {
    /// A directory of files, read for the first time; FreeSWITCH does not start on one that cannot be read.
    pub fn files(folder: impl Into<PathBuf>, globals: &Mutex<Globals>) -> Self {
        let folder = folder.into();
        let conf_dir = folder.display().to_string();
        globals.lock().unwrap().insert("conf_dir".to_owned(), conf_dir);
        let document = files::load(&folder, &mut globals.lock().unwrap()).unwrap();
        Self::Files(Files {
            folder,
            document: Mutex::new(document),
        })
    }

    /// What a lookup finds. A document that cannot be read is nobody.
    pub async fn user(&self, user: &str, domain: &str) -> Option<User> {
        match self {
            Self::Nothing => None,
            Self::Fusion(fusion) => {
                let text = fusion.user(user, domain).await?;
                directory::find(&xml::parse(&text).ok()?, user, domain)
            }
            Self::Files(files) => directory::find(&files.document.lock().unwrap(), user, domain),
        }
    }

    /// The element that a call to `number` in a context gets.
    pub async fn context(&self, context: &str, number: &str) -> Option<Element> {
        match self {
            Self::Nothing => None,
            Self::Fusion(fusion) => {
                let document = xml::parse(&fusion.context(context, number).await?).ok()?;
                directory::locate(&document, "dialplan", "context", "name", context).cloned()
            }
            Self::Files(_) => self.located("dialplan", "context", "name", context),
        }
    }

    /// What `xml_locate` finds, which does not ask FusionPBX.
    pub fn located(&self, section: &str, tag: &str, key: &str, value: &str) -> Option<Element> {
        match self {
            Self::Files(files) => {
                let document = files.document.lock().unwrap();
                directory::locate(&document, section, tag, key, value).cloned()
            }
            Self::Nothing | Self::Fusion(_) => None,
        }
    }

    /// Reads the files again; gives what stands in the brackets of the answer. A document that cannot be read changes
    /// nothing but the variables that were set on the way.
    pub fn reload(&self, globals: &Mutex<Globals>) -> String {
        let Self::Files(files) = self else {
            return "Success".to_owned();
        };
        match files::load(&files.folder, &mut globals.lock().unwrap()) {
            Ok(document) => {
                *files.document.lock().unwrap() = document;
                "Success".to_owned()
            }
            Err(wrong) => wrong,
        }
    }
}
