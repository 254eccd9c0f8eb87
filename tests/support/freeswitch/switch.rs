//! What all connections to one FreeSWITCH share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;

use super::calls::Calls;
use super::event::Event;
use super::faults::Faults;
use super::files::Globals;
use super::identity::{Figures, Names, Novelties};
use super::journal::Journal;
use super::phones::Phones;
use super::source::Source;
use super::voicemail::VoiceMail;

/// Events that a session may be behind.
const BACKLOG: usize = 4096;

/// What sessions are told without having asked.
#[derive(Debug, Clone)]
pub enum Told {
    /// Those hear it who have asked for such events.
    Event(Arc<Event>),
    /// Bytes that a test plays, for everybody.
    Bytes(Arc<[u8]>),
}

/// A SIP profile.
#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    pub url: String,
}

/// One FreeSWITCH.
#[derive(Debug)]
pub struct Switch {
    pub names: Names,
    pub new: Novelties,
    pub figures: Mutex<Figures>,
    pub password: Mutex<String>,
    pub profiles: Vec<Profile>,
    pub source: Source,
    pub globals: Mutex<Globals>,
    pub phones: Mutex<Phones>,
    pub calls: Mutex<Calls>,
    pub voicemail: Mutex<VoiceMail>,
    pub faults: Faults,
    pub journal: Journal,
    /// How often the files were read again.
    pub reloads: AtomicUsize,
    pub told: broadcast::Sender<Told>,
}

impl Switch {
    pub fn new(source: Source, globals: Mutex<Globals>, password: &str, names: Names) -> Self {
        let profile = |name: &str, port: u16| Profile {
            name: name.to_owned(),
            url: format!("sip:mod_sofia@127.0.0.1:{port}"),
        };
        Self {
            names,
            new: Novelties::default(),
            figures: Mutex::default(),
            password: Mutex::new(password.to_owned()),
            profiles: vec![profile("internal", 5060), profile("external", 5080)],
            source,
            globals,
            phones: Mutex::default(),
            calls: Mutex::default(),
            voicemail: Mutex::default(),
            faults: Faults::default(),
            journal: Journal::default(),
            reloads: AtomicUsize::new(0),
            told: broadcast::Sender::new(BACKLOG),
        }
    }

    pub fn is_profile(&self, name: &str) -> bool {
        self.profiles.iter().any(|profile| profile.name == name)
    }

    /// Reads the files again, as `reloadxml` and what begins with it do.
    pub fn reload(&self) -> String {
        self.reloads.fetch_add(1, Ordering::SeqCst);
        self.source.reload(&self.globals)
    }

    pub fn tell(&self, event: Event) {
        // Nobody may listen.
        let _ = self.told.send(Told::Event(Arc::new(event)));
    }

    /// An event that FreeSWITCH's own code sends.
    pub fn event(&self, opening: &[(&str, &str)], name: &str, source: [&str; 3]) -> Event {
        Event::opening(opening).signed(name, &self.names, &self.new, source)
    }
}
