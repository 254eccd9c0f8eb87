//! A real Asterisk, with real phones.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use switchyard::domain::artifact::Artifact;
use switchyard::domain::instance::{InstanceSettings, PbxKind};
use switchyard::domain::instance_secrets::InstanceSecrets;

use super::rig;
use super::support::ami::field;
use super::support::pbx::Pbx;
use super::support::phone;
use super::support::world::World;

pub struct Asterisk(Pbx);

impl Asterisk {
    pub async fn start() -> Self {
        Self(Pbx::start().await)
    }

    fn live_file(&self, artifact: Artifact) -> PathBuf {
        let live = self.0.private.settings().config_dir.as_path().join("live");
        live.join(artifact.as_str())
    }
}

#[async_trait]
impl rig::Pbx for Asterisk {
    fn settings(&self) -> InstanceSettings {
        InstanceSettings::Asterisk(self.0.private.settings().clone())
    }

    fn secrets(&self) -> InstanceSecrets {
        InstanceSecrets::of_control(self.0.private.secret().clone())
    }

    fn home(&self) -> PathBuf {
        self.0.directory.path().to_owned()
    }

    async fn lets_in(&self, number: &str, domain: &str, secret: &str) -> bool {
        phone::registers(self.0.private.sip(), number, domain, secret)
    }

    async fn name_of(&self, number: &str, domain: &str) -> Option<String> {
        let caller_id = self.0.ami().caller_id(&format!("{number}@{domain}"))?;
        let name = caller_id.strip_prefix('"')?.split('"').next()?;
        Some(name.to_owned())
    }

    async fn call(&self, domain: &str) {
        let line = format!("channel originate Local/*43@{domain} application Wait 600");
        self.0.ami().console(&line);
        for _ in 0..200 {
            if self.has_call(domain).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no call came up in {domain}");
    }

    async fn has_call(&self, domain: &str) -> bool {
        let channels = self.0.ami().list("CoreShowChannels", &[]);
        let is_there = |channel| field(channel, "Channel").is_some_and(|name| name.contains(domain));
        channels.iter().any(is_there)
    }

    /// A template of the operator's gives everybody one name.
    async fn spoil(&self, world: &World, _domain: &str) {
        let name = "callerid=\"{{ extension.caller_name | quoted }}\"";
        world.override_template("asterisk/pjsip.conf", |text| {
            assert!(text.contains(name));
            text.replace(name, "callerid=\"Spoilt\"")
        });
    }

    async fn dialplan(&self) -> String {
        std::fs::read_to_string(self.live_file(Artifact::Extensions)).unwrap()
    }

    async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for file in Artifact::of(PbxKind::Asterisk) {
            let text = std::fs::read_to_string(self.live_file(*file)).unwrap_or_default();
            all.extend(text.lines().map(|line| format!("{file}: {line}")));
        }
        let mut ami = self.0.ami();
        for (line, beginning) in [
            ("pjsip show endpoints", "Endpoint:"),
            ("pjsip show auths", "Auth:"),
            ("pjsip show aors", "Aor:"),
            ("dialplan show", "[ Context "),
        ] {
            for shown in ami.console(line) {
                let named = shown.trim_start().strip_prefix(beginning);
                let name = named.and_then(|named| named.split_whitespace().next());
                all.extend(name.map(|name| format!("{beginning} {name}")));
            }
        }
        for mailbox in ami.list("VoicemailUsersList", &[]) {
            let [context, number] = ["VMContext", "VoiceMailbox"].map(|name| field(&mailbox, name));
            all.push(format!("mailbox {context:?} {number:?}"));
        }
        all.sort();
        all
    }

    async fn rename(&self, from: &str, to: &str) {
        let file = self.live_file(Artifact::Pjsip);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        std::fs::write(&file, text.replace(from, to)).unwrap();
    }
}
