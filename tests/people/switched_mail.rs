//! Tenants with mail boxes on a FreeSWITCH, with FusionPBX or without, and messages in them: the sounds are files, the list is
//! `mod_voicemail`'s, or rows of a real PostgreSQL.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use switchyard::app::instances::{self, NewInstance};
use switchyard::app::{operator, voicemail};
use switchyard::domain::ids::{IdSource as _, InstanceId, SystemIds};
use switchyard::domain::instance::{FreeSwitchSettings, InstanceSettings, PbxKind};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::tenant::Tenant;
use switchyard::driver::PbxDriver;
use switchyard::driver::freeswitch::FreeSwitchDriver;
use switchyard::driver::fusionpbx::{self, FusionPbxDriver};
use tempfile::TempDir;

use super::freeswitch::{FreeSwitch, Message, PASSWORD};
use super::fusionpbx::{Booleans, FusionPbx, settings};
use super::gone::world;
use super::purging::ago;
use super::support::database::Backend;
use super::world::World;

/// Two tenants on such a PBX, each with the boxes 1001 and 1002.
pub struct Switched {
    pub world: World,
    pub freeswitch: FreeSwitch,
    pub fusionpbx: Option<FusionPbx>,
    pub place: InstanceId,
    pub settings: InstanceSettings,
    secrets: InstanceSecrets,
    state: TempDir,
}

impl Switched {
    pub async fn open(kind: PbxKind, backend: Backend) -> Self {
        let state = TempDir::new().unwrap();
        let world = world(backend, &state).await;
        let root = state.path().join("voicemail/default");
        fs::create_dir_all(&root).unwrap();
        let voicemail_dir = Some(root.to_str().unwrap().parse().unwrap());
        let (freeswitch, fusionpbx, settings, secrets) = match kind {
            PbxKind::FreeSwitch => {
                let freeswitch = FreeSwitch::start().await;
                let settings = FreeSwitchSettings {
                    event_socket_host: "127.0.0.1".parse().unwrap(),
                    event_socket_port: freeswitch.port,
                    config_dir: state.path().join("freeswitch").to_str().unwrap().parse().unwrap(),
                    recordings_dir: None,
                    voicemail_dir,
                    emergency_numbers: Vec::new(),
                };
                let secrets = InstanceSecrets::of_control(PASSWORD.into());
                (freeswitch, None, InstanceSettings::FreeSwitch(settings), secrets)
            }
            PbxKind::FusionPbx => {
                let fusionpbx = FusionPbx::empty(Booleans::Native).await;
                let freeswitch = FreeSwitch::start().await;
                let (mut settings, password) = settings(&fusionpbx.own_role().await, freeswitch.port);
                settings.voicemail_dir = voicemail_dir;
                let secrets = InstanceSecrets {
                    control: PASSWORD.into(),
                    database: Some(password),
                };
                let settings = InstanceSettings::FusionPbx(settings);
                (freeswitch, Some(fusionpbx), settings, secrets)
            }
            PbxKind::Asterisk => panic!("it has mail boxes of its own"),
        };
        let new = NewInstance {
            name: "pbx2".parse().unwrap(),
            node: "node1".parse().unwrap(),
            settings: settings.clone(),
            secrets: secrets.clone(),
        };
        let made = instances::create(&world.app, &operator::platform(None), new).await;
        let place = made.unwrap().id;
        world
            .bench
            .sql("update tenants set instance_id = (select id from instances where name = 'pbx2')")
            .await;
        let switched = Self {
            world,
            freeswitch,
            fusionpbx,
            place,
            settings,
            secrets,
            state,
        };
        for tenant in [&switched.world.acme, &switched.world.globex] {
            switched.world.revision(tenant).await;
            switched.furnish(tenant).await;
        }
        switched
    }

    async fn furnish(&self, tenant: &Tenant) {
        for mailbox in ["1001", "1002"] {
            fs::create_dir_all(self.folder(tenant, mailbox)).unwrap();
        }
        let Some(fusionpbx) = &self.fusionpbx else {
            return;
        };
        let domain = fusionpbx.add_domain(tenant.domain.as_str()).await;
        for mailbox in ["1001", "1002"] {
            let sql = format!(
                "insert into v_voicemails (voicemail_uuid, domain_uuid, voicemail_id, voicemail_enabled) \
                 values ('{}', '{domain}', '{mailbox}', 'true')",
                SystemIds.next()
            );
            fusionpbx.run(&sql).await;
        }
    }

    pub fn root(&self) -> PathBuf {
        self.state.path().join("voicemail/default")
    }

    /// Its settings name another directory.
    pub async fn lies_in(&self, root: &Path) {
        let (before, after) = (self.root(), root);
        let moved = format!(
            "update instances set settings = replace(settings, '\"{}\"', '\"{}\"') where name = 'pbx2' returning settings",
            before.display(),
            after.display()
        );
        let moved = self.world.texts(&moved).await;
        assert!(moved[0].contains(&format!("{}\"", after.display())), "{moved:?}");
    }

    pub fn folder(&self, tenant: &Tenant, mailbox: &str) -> PathBuf {
        self.root().join(tenant.domain.as_str()).join(mailbox)
    }

    /// A sound alone, that was written so many days ago.
    pub fn lay(&self, tenant: &Tenant, mailbox: &str, name: &str, days: i64) -> PathBuf {
        let path = self.folder(tenant, mailbox).join(name);
        fs::write(&path, [0; 100]).unwrap();
        let written = SystemTime::from(ago(days));
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(written)
            .unwrap();
        path
    }

    /// A message that was left so many days ago, of 100 bytes of sound; gives its name in the list.
    pub async fn put(&self, tenant: &Tenant, mailbox: &str, caller: &str, days: i64) -> String {
        let uuid = SystemIds.next().to_string();
        // mod_voicemail names the file otherwise than the message.
        let named = match self.fusionpbx {
            Some(_) => uuid.clone(),
            None => SystemIds.next().to_string(),
        };
        let path = self.lay(tenant, mailbox, &format!("msg_{named}.wav"), days);
        self.list(tenant, mailbox, (&uuid, caller), ago(days), path).await;
        uuid
    }

    /// What stands in the list, whatever lies there.
    pub async fn list(
        &self,
        tenant: &Tenant,
        mailbox: &str,
        (uuid, caller): (&str, &str),
        left_at: Timestamp,
        path: PathBuf,
    ) {
        let created = left_at.as_second();
        let Some(fusionpbx) = &self.fusionpbx else {
            self.freeswitch.voicemail().messages.push(Message {
                uuid: uuid.to_owned(),
                domain: tenant.domain.to_string(),
                mailbox: mailbox.to_owned(),
                created,
                read: 0,
                caller_name: "C\",\"VM-Message-UUID\":\"x".to_owned(),
                caller_number: caller.to_owned(),
                path,
                flags: String::new(),
            });
            return;
        };
        let sql = format!(
            "insert into v_voicemail_messages (voicemail_message_uuid, domain_uuid, voicemail_uuid, created_epoch, \
             caller_id_number, message_length) select '{uuid}', v.domain_uuid, v.voicemail_uuid, {created}, '{caller}', 5 \
             from v_voicemails v join v_domains d on d.domain_uuid = v.domain_uuid \
             where d.domain_name = '{}' and v.voicemail_id = '{mailbox}'",
            tenant.domain
        );
        fusionpbx.run(&sql).await;
    }

    /// The names of all that is in the list.
    pub async fn listed(&self) -> Vec<String> {
        let mut all: Vec<String> = if let Some(fusionpbx) = &self.fusionpbx {
            let asking = "select voicemail_message_uuid::text from v_voicemail_messages";
            sqlx::query_scalar(asking)
                .fetch_all(&fusionpbx.pool)
                .await
                .unwrap()
        } else {
            let list = self.freeswitch.voicemail();
            list.messages.iter().map(|message| message.uuid.clone()).collect()
        };
        all.sort();
        all
    }

    /// The names of what lies in a box.
    pub fn names(&self, tenant: &Tenant, mailbox: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder(tenant, mailbox)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub async fn look(&self) {
        voicemail::look(&self.world.app, self.place, None).await.unwrap();
    }

    /// Why it cannot be looked.
    pub async fn unseen(&self) -> String {
        let looked = voicemail::look(&self.world.app, self.place, None).await;
        switchyard::domain::error_chain::error_chain(&looked.unwrap_err())
    }

    pub fn driver(&self) -> Box<dyn PbxDriver> {
        match &self.settings {
            InstanceSettings::FreeSwitch(settings) => {
                Box::new(FreeSwitchDriver::new(settings.clone(), self.secrets.clone()))
            }
            InstanceSettings::FusionPbx(settings) => {
                let staging = fusionpbx::staging(self.state.path(), self.place);
                let (settings, secrets) = (settings.clone(), self.secrets.clone());
                Box::new(FusionPbxDriver::new(self.place, settings, secrets, &staging))
            }
            InstanceSettings::Asterisk(_) => panic!("it has mail boxes of its own"),
        }
    }
}
