//! A FreeSWITCH that reads FusionPBX's rows, and one that reads files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use switchyard::domain::instance::{FusionPbxSettings, InstanceSettings, Tls};
use switchyard::domain::instance_secrets::InstanceSecrets;
use tempfile::TempDir;
use url::Url;

use super::freeswitch::{Admitted, FreeSwitch, Keys, NewCall, PASSWORD, Phone};
use super::fusionpbx::{Booleans, FusionPbx, Snapshot};
use super::plain_freeswitch::{Plain, secrets, write};
use super::rig::Pbx;
use super::support::world::World;

/// A FusionPBX with what an operator has in it.
pub struct OnRows {
    // Before the database, which its lookups use.
    freeswitch: FreeSwitch,
    fusionpbx: FusionPbx,
    role: Url,
    home: TempDir,
    calls: Calls,
    /// What was there before us.
    others: Snapshot,
}

impl OnRows {
    pub async fn start() -> Self {
        let fusionpbx = FusionPbx::furnished(Booleans::Native).await;
        let grants = concat!(env!("CARGO_MANIFEST_DIR"), "/pbx/fusionpbx/grants.sql");
        let grants = std::fs::read_to_string(grants).unwrap();
        let role = fusionpbx.role(|role| grants.replace(":\"role\"", role)).await;
        Self {
            others: fusionpbx.snapshot().await,
            freeswitch: FreeSwitch::with_fusionpbx(fusionpbx.pool.clone(), Keys::Plain).await,
            fusionpbx,
            role: role.parse().unwrap(),
            home: tempfile::tempdir().unwrap(),
            calls: Calls::default(),
        }
    }
}

#[async_trait]
impl Pbx for OnRows {
    fn settings(&self) -> InstanceSettings {
        let role = &self.role;
        InstanceSettings::FusionPbx(FusionPbxSettings {
            database_host: role.host_str().unwrap().parse().unwrap(),
            database_port: role.port().unwrap(),
            database_name: role.path().trim_start_matches('/').parse().unwrap(),
            database_username: role.username().parse().unwrap(),
            database_tls: Some(Tls::Off),
            event_socket_host: "127.0.0.1".parse().unwrap(),
            event_socket_port: self.freeswitch.port,
            recordings_dir: None,
            voicemail_dir: None,
            emergency_numbers: Vec::new(),
        })
    }

    fn secrets(&self) -> InstanceSecrets {
        InstanceSecrets {
            control: PASSWORD.into(),
            database: Some(self.role.password().unwrap().into()),
        }
    }

    fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    async fn lets_in(&self, number: &str, domain: &str, secret: &str) -> bool {
        lets_in(&self.freeswitch, number, domain, secret).await
    }

    async fn name_of(&self, number: &str, domain: &str) -> Option<String> {
        name_of(&self.freeswitch, number, domain).await
    }

    async fn call(&self, domain: &str) {
        self.calls.add(&self.freeswitch, domain);
    }

    async fn has_call(&self, domain: &str) -> bool {
        self.calls.is_up(&self.freeswitch, domain)
    }

    async fn spoil(&self, _world: &World, domain: &str) {
        leave_signed_in(&self.freeswitch, domain);
    }

    fn freeswitch(&self) -> Option<&FreeSwitch> {
        Some(&self.freeswitch)
    }

    async fn dialplan(&self) -> String {
        let sql = "select string_agg(dialplan_xml, '' order by dialplan_uuid) from v_dialplans where dialplan_name = 'switchyard'";
        let read: Option<String> = sqlx::query_scalar(sql)
            .fetch_one(&self.fusionpbx.pool)
            .await
            .unwrap();
        read.unwrap_or_default()
    }

    /// Less the note, which says which generation stands, and less when each row was written.
    async fn everything(&self) -> Vec<String> {
        let now = self.fusionpbx.snapshot().await;
        let mut all = now.missing_in(&self.others);
        all.retain(|row| !row.contains("switchyard-note"));
        let touched = self.others.missing_in(&now).into_iter();
        all.extend(touched.map(|row| format!("no more: {row}")));
        let mut all: Vec<String> = all.iter().map(|row| timeless(row)).collect();
        all.extend(phones(&self.freeswitch));
        all.sort();
        all
    }

    async fn rename(&self, from: &str, to: &str) {
        let column = "effective_caller_id_name";
        let sql = format!("update v_extensions set {column} = '{to}' where {column} = '{from}'");
        self.fusionpbx.run(&sql).await;
    }
}

/// A FreeSWITCH without FusionPBX.
pub struct OnFiles {
    plain: Plain,
    calls: Calls,
}

impl OnFiles {
    pub async fn start() -> Self {
        Self {
            plain: Plain::start().await,
            calls: Calls::default(),
        }
    }
}

#[async_trait]
impl Pbx for OnFiles {
    fn settings(&self) -> InstanceSettings {
        InstanceSettings::FreeSwitch(self.plain.settings())
    }

    fn secrets(&self) -> InstanceSecrets {
        secrets()
    }

    fn home(&self) -> PathBuf {
        self.plain.home().to_owned()
    }

    async fn lets_in(&self, number: &str, domain: &str, secret: &str) -> bool {
        lets_in(&self.plain.freeswitch, number, domain, secret).await
    }

    async fn name_of(&self, number: &str, domain: &str) -> Option<String> {
        name_of(&self.plain.freeswitch, number, domain).await
    }

    async fn call(&self, domain: &str) {
        self.calls.add(&self.plain.freeswitch, domain);
    }

    async fn has_call(&self, domain: &str) -> bool {
        self.calls.is_up(&self.plain.freeswitch, domain)
    }

    async fn spoil(&self, _world: &World, domain: &str) {
        leave_signed_in(&self.plain.freeswitch, domain);
    }

    fn freeswitch(&self) -> Option<&FreeSwitch> {
        Some(&self.plain.freeswitch)
    }

    async fn dialplan(&self) -> String {
        std::fs::read_to_string(self.plain.live_file("dialplan")).unwrap()
    }

    async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for section in ["directory", "dialplan"] {
            let text = std::fs::read_to_string(self.plain.live_file(section)).unwrap_or_default();
            all.extend(text.lines().map(|line| format!("{section}: {line}")));
        }
        all.extend(phones(&self.plain.freeswitch));
        all.sort();
        all
    }

    async fn rename(&self, from: &str, to: &str) {
        let file = self.plain.live_file("directory");
        let text = std::fs::read_to_string(&file).unwrap();
        let (from, to) = (format!("value=\"{from}\""), format!("value=\"{to}\""));
        assert!(text.contains(&from));
        write(&file, &text.replace(&from, &to));
    }
}

/// Whose phones are signed in, whatever number of them.
fn phones(freeswitch: &FreeSwitch) -> BTreeSet<String> {
    let phones = freeswitch.phones().into_iter();
    phones
        .map(|phone| format!("phone {}@{}", phone.user, phone.domain))
        .collect()
}

/// A row less its times, which PostgreSQL writes as `"2026-01-02 03:04:05.6+00"`.
fn timeless(row: &str) -> String {
    let is_time = |part: &&str| part.starts_with("20") && part.get(10..11) == Some(" ") && part.contains(':');
    let parts: Vec<&str> = row.split('"').filter(|part| !is_time(part)).collect();
    parts.join("\"")
}

/// A phone on a profile that does not run is nowhere to be signed out.
fn leave_signed_in(freeswitch: &FreeSwitch, domain: &str) {
    freeswitch.sign_in(&Phone::at("stopped", "1002", domain, 5099, 0));
}

async fn lets_in(freeswitch: &FreeSwitch, number: &str, domain: &str, secret: &str) -> bool {
    let let_in = freeswitch.register("internal", number, domain, secret).await;
    let_in == Ok(Admitted::Hash)
}

async fn name_of(freeswitch: &FreeSwitch, number: &str, domain: &str) -> Option<String> {
    let user = freeswitch.user(number, domain).await?;
    user.shown("var", "effective_caller_id_name").map(str::to_owned)
}

/// The calls that were put up, by their domains.
#[derive(Default)]
struct Calls(Mutex<BTreeMap<String, String>>);

impl Calls {
    fn add(&self, freeswitch: &FreeSwitch, domain: &str) {
        let uuid = freeswitch.add_call(&NewCall::within(domain, "1001", "1002"));
        self.0.lock().unwrap().insert(domain.to_owned(), uuid);
    }

    fn is_up(&self, freeswitch: &FreeSwitch, domain: &str) -> bool {
        let calls = self.0.lock().unwrap();
        calls
            .get(domain)
            .is_some_and(|uuid| freeswitch.calls().contains(uuid))
    }
}
