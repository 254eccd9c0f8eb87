//! A FreeSWITCH that is simulated as far as its event socket shows it, with state and with faults.
//!
//! FreeSWITCH is not in Debian. What it says here is what a real one said byte for byte where that was recorded
//! (`tests/data/esl`), and what its source says elsewhere. It places no calls and speaks no SIP: phones sign in and calls
//! come up when a test says so, and events of calls are bytes that a test plays.

mod answer;
mod api;
mod cache;
mod calls;
mod directory;
mod event;
mod faults;
mod files;
mod fusion;
mod gate;
mod identity;
mod journal;
mod legs;
mod phones;
mod served;
mod session;
mod signing;
mod source;
mod switch;
mod voicemail;
mod wanted;
mod xml;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use sqlx::PgPool;
use switchyard::wire::esl::{Client, Config, Password, connect};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use cache::{Cache, Race};
pub use directory::User;
pub use faults::{Effect, Fault, Faults};
pub use fusion::Keys;
pub use gate::Gate;
pub use identity::{Figures, Novelties};
pub use journal::Journal;
pub use legs::{Caller, NewCall};
pub use phones::Phone;
pub use signing::{Admitted, Refused};
pub use voicemail::{Message, VoiceMail};
pub use xml::Element;

use fusion::Fusion;
use identity::Names;
use source::Source;
use switch::{Switch, Told};

/// The password of the event socket.
pub const PASSWORD: &str = "ClueCon";

/// A FreeSWITCH, gone with the value.
pub struct FreeSwitch {
    pub port: u16,
    switch: Arc<Switch>,
    listening: Option<JoinSet<()>>,
    /// The connections of this test's own clients.
    driven: JoinSet<()>,
}

impl FreeSwitch {
    /// One without any user.
    pub async fn start() -> Self {
        Self::on(Source::Nothing, Mutex::default()).await
    }

    /// One with FusionPBX's Lua handler on this database.
    pub async fn with_fusionpbx(pool: PgPool, keys: Keys) -> Self {
        let fusion = Fusion::new(pool, keys, &Names::default().hostname).await;
        Self::on(Source::Fusion(Box::new(fusion)), Mutex::default()).await
    }

    /// One that reads `freeswitch.xml` of this directory.
    pub async fn with_files(folder: &Path) -> Self {
        let globals = Mutex::default();
        let source = Source::files(folder, &globals);
        Self::on(source, globals).await
    }

    async fn on(source: Source, globals: Mutex<files::Globals>) -> Self {
        let switch = Switch::new(source, globals, PASSWORD, Names::default());
        let mut freeswitch = Self {
            port: 0,
            switch: Arc::new(switch),
            listening: None,
            driven: JoinSet::new(),
        };
        freeswitch.open().await;
        freeswitch
    }

    /// Takes connections, at the same port as before.
    pub async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let switch = Arc::clone(&self.switch);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut sessions = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                sessions.spawn(session::serve(Arc::clone(&switch), stream, number));
            }
        });
        self.listening = Some(listening);
    }

    /// Breaks all connections and takes no further ones, as while it is restarted. What it knows stays.
    pub async fn close(&mut self) {
        if let Some(mut listening) = self.listening.take() {
            listening.shutdown().await;
        }
    }

    /// How a client connects.
    pub fn config(&self) -> Config {
        let password = Password::new(SecretString::from(PASSWORD)).unwrap();
        Config::new("127.0.0.1", self.port, password)
    }

    /// A client whose connection runs as long as this value.
    pub async fn client(&mut self) -> Client {
        self.client_with(self.config()).await
    }

    pub async fn client_with(&mut self, config: Config) -> Client {
        let (client, connection) = connect(&config).await.unwrap();
        self.driven.spawn(async move {
            // The test looks at what its requests are told.
            let _ = connection.run(CancellationToken::new()).await;
        });
        client
    }

    /// From now on another password is asked for.
    pub fn change_password(&self, password: &str) {
        password.clone_into(&mut self.switch.password.lock().unwrap());
    }

    pub fn faults(&self) -> &Faults {
        &self.switch.faults
    }

    pub fn journal(&self) -> &Journal {
        &self.switch.journal
    }

    /// The clock, and what is made up next.
    pub fn novelties(&self) -> &Novelties {
        &self.switch.new
    }

    pub fn set_figures(&self, figures: Figures) {
        *self.switch.figures.lock().unwrap() = figures;
    }

    /// How often the files were read again since the start.
    pub fn reloads(&self) -> usize {
        self.switch.reloads.load(Ordering::SeqCst)
    }

    /// Sends these bytes on every connection.
    pub fn play(&self, bytes: &[u8]) {
        // There may be no connection.
        let _ = self.switch.told.send(Told::Bytes(bytes.into()));
    }

    /// FusionPBX's cache.
    pub fn cache(&self) -> &Cache {
        &self.fusion().cache
    }

    /// Where a lookup has read an extension's row, and not its settings yet.
    pub fn halfway(&self) -> &Gate {
        &self.fusion().halfway
    }

    fn fusion(&self) -> &Fusion {
        match &self.switch.source {
            Source::Fusion(fusion) => fusion,
            other => panic!("no FusionPBX: {other:?}"),
        }
    }

    /// The key under which FusionPBX caches a user.
    pub fn user_key(&self, user: &str, domain: &str) -> String {
        self.fusion().user_key(user, domain)
    }

    /// Forgets a user, as its own Lua would be told to.
    pub fn forget(&self, user: &str, domain: &str) {
        self.cache().delete(&self.user_key(user, domain));
    }

    /// The call groups of a domain: each group with one of its extensions.
    pub async fn groups(&self, domain: &str) -> Vec<(String, String)> {
        self.fusion().groups(domain).await
    }

    /// A lookup, as any call or phone causes it.
    pub async fn user(&self, user: &str, domain: &str) -> Option<User> {
        self.switch.source.user(user, domain).await
    }

    /// The dialplan that a call to `number` in a context gets.
    pub async fn context(&self, context: &str, number: &str) -> Option<Element> {
        self.switch.source.context(context, number).await
    }

    /// A phone signs in.
    pub async fn register(
        &self,
        profile: &str,
        user: &str,
        domain: &str,
        password: &str,
    ) -> Result<Admitted, Refused> {
        signing::register(&self.switch, profile, user, domain, password).await
    }

    /// A phone is signed in, whoever it is.
    pub fn sign_in(&self, phone: &Phone) {
        self.switch.phones.lock().unwrap().sign_in(phone);
    }

    /// What `mod_voicemail` has in its list.
    pub fn voicemail(&self) -> std::sync::MutexGuard<'_, VoiceMail> {
        self.switch.voicemail.lock().unwrap()
    }

    /// The phones that the profiles have.
    pub fn phones(&self) -> Vec<Phone> {
        self.switch.phones.lock().unwrap().signed_in().to_vec()
    }

    /// `show registrations` learns who was signed out.
    pub fn settle_registrations(&self) {
        self.switch.phones.lock().unwrap().settle();
    }

    /// A call comes up; gives its name.
    pub fn add_call(&self, call: &NewCall) -> String {
        let mut calls = self.switch.calls.lock().unwrap();
        let (uuid, legs) = calls.add(call, &self.switch.names, &self.switch.new);
        let mut figures = self.switch.figures.lock().unwrap();
        figures.sessions_since_start += legs;
        figures.peak = figures.peak.max(calls.sessions());
        uuid
    }

    /// The calls that are up.
    pub fn calls(&self) -> Vec<String> {
        self.switch.calls.lock().unwrap().uuids()
    }

    /// How far `show channels` and `show calls` are behind from now on.
    pub fn lag(&self, lag: std::time::Duration) {
        self.switch.calls.lock().unwrap().lag = lag;
    }
}
