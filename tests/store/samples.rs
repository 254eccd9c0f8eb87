//! Instances, tenants and extensions to store.

use std::collections::BTreeMap;

use jiff::Timestamp;
use switchyard::domain::audit::{Actor, ActorKind, AuditEntry, Salt};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Scope};
use switchyard::domain::digest::Digest;
use switchyard::domain::extension::{Extension, ExtensionSettings};
use switchyard::domain::generation::Generation;
use switchyard::domain::ids::{
    AuditId, DeploymentId, ExtensionId, GenerationId, IdSource as _, InstanceId, RevisionId, SystemIds,
    TenantId,
};
use switchyard::domain::instance::PbxInstance;
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::recording_notice::RecordingNotice;
use switchyard::domain::revision::Revision;
use switchyard::domain::secret::{ExtensionSecrets, VoicemailPin};
use switchyard::domain::sip_credential::SipCredential;
use switchyard::domain::tenant::{RecordingPolicy, Tenant, TenantStatus};
use switchyard::domain::timezone::Timezone;
use switchyard::store::{
    Store, audit, extensions, generations, instances, revisions, template_sets, tenants,
};

/// Microseconds after the tests' first moment.
pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_000_000 + micros).unwrap()
}

pub fn instance(name: &str) -> PbxInstance {
    let settings = serde_json::json!({
        "kind": "asterisk", "ami_host": "127.0.0.1", "ami_port": 5038, "ami_username": "switchyard",
        "config_dir": "/etc/asterisk/switchyard", "log_file": "/var/log/asterisk/messages",
        "emergency_numbers": ["115"],
    });
    PbxInstance {
        id: InstanceId::fresh(&SystemIds),
        name: name.parse().unwrap(),
        node: "pbx-1".parse().unwrap(),
        settings: serde_json::from_value(settings).unwrap(),
        settings_revision: 1,
        live: None,
        applying: None,
        created_at: at(1),
    }
}

/// Both, as a FusionPBX needs them.
pub fn instance_secrets() -> InstanceSecrets {
    InstanceSecrets {
        control: "control-secret-in-clear".into(),
        database: Some("database-secret-in-clear".into()),
    }
}

pub fn tenant(instance: InstanceId, word: &str) -> Tenant {
    Tenant {
        id: TenantId::fresh(&SystemIds),
        name: format!("Tenant {word}").parse().unwrap(),
        domain: format!("{}.example.com", word.to_lowercase()).parse().unwrap(),
        status: TenantStatus::Active,
        instance_id: instance,
        timezone: Timezone::utc(),
        recording: RecordingPolicy::ByExtension,
        notice: RecordingNotice::unsaid(),
        secrets_version: 1,
        created_at: at(2),
        updated_at: at(3),
    }
}

pub fn extension(tenant: TenantId, number: &str, name: &str) -> Extension {
    Extension {
        id: ExtensionId::fresh(&SystemIds),
        tenant_id: tenant,
        number: number.parse().unwrap(),
        settings: ExtensionSettings::named(name.parse().unwrap()),
        secret_known: true,
        version: 1,
        created_at: at(4),
        updated_at: at(5),
    }
}

pub fn secrets(sip: &str, pin: &str) -> ExtensionSecrets {
    ExtensionSecrets {
        sip: SipCredential::parse(sip.to_owned().into()).unwrap(),
        pin: VoicemailPin::parse(pin.to_owned().into()).unwrap(),
    }
}

pub fn templates() -> (Digest, BTreeMap<String, String>) {
    let files = BTreeMap::from([
        ("asterisk/pjsip.conf".to_owned(), "[{{ number }}]\n".to_owned()),
        (
            "asterisk/voicemail.conf".to_owned(),
            "Zoë \u{0} \\u0000\r\n".to_owned(),
        ),
    ]);
    (Digest::of("templates"), files)
}

pub fn deployment(instance: InstanceId, scope: Scope, created: i64) -> Deployment {
    Deployment {
        id: DeploymentId::fresh(&SystemIds),
        instance_id: instance,
        scope,
        status: DeploymentStatus::Queued,
        requested_by: "system:cli".to_owned(),
        generation_id: None,
        generation: None,
        changes: vec![],
        findings: vec![],
        created_at: at(created),
        ended_at: None,
    }
}

/// An entry of the audit log.
pub fn audit_entry(tenant_id: Option<TenantId>, when: i64, action: &str) -> AuditEntry {
    AuditEntry {
        id: AuditId::fresh(&SystemIds),
        at: at(when),
        actor: Actor {
            kind: ActorKind::User,
            id: Some(SystemIds.next()),
            name: "ann@example.com".to_owned(),
        },
        operating_as: false,
        action: action.to_owned(),
        resource: "extension".to_owned(),
        target_id: "0198c0de-0000-7000-8000-000000000001".to_owned(),
        tenant_id,
        before: None,
        after: None,
        reason: None,
        request_id: None,
        address: None,
        agent: None,
    }
}

/// Writes entries in one transaction.
pub async fn store_audit_entries(store: &Store, entries: &[&AuditEntry]) {
    let mut tx = store.begin("append").await.unwrap();
    for entry in entries {
        audit::append(&mut tx, entry, Salt::generate(&SystemRandom).unwrap()).unwrap();
    }
    tx.commit().await.unwrap();
}

/// An instance with two tenants, `Acme` and `Globex`, as stored.
pub struct World {
    pub instance: PbxInstance,
    pub acme: Tenant,
    pub globex: Tenant,
}

impl World {
    pub async fn store(store: &Store) -> Self {
        let instance = instance("main");
        let (acme, globex) = (tenant(instance.id, "Acme"), tenant(instance.id, "Globex"));
        let mut tx = store.begin("world").await.unwrap();
        instances::insert(&mut tx, &instance, &instance_secrets())
            .await
            .unwrap();
        tenants::insert(&mut tx, &acme).await.unwrap();
        tenants::insert(&mut tx, &globex).await.unwrap();
        tx.commit().await.unwrap();
        Self {
            instance,
            acme,
            globex,
        }
    }
}

/// Stores an extension with usual secrets.
pub async fn store_extension(store: &Store, tenant: TenantId, number: &str, name: &str) -> Extension {
    let extension = extension(tenant, number, name);
    let mut tx = store.begin("store_extension").await.unwrap();
    extensions::insert(&mut tx, &extension, &secrets("CircleOfLife", "1234"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    extension
}

/// Takes a revision of a tenant's head.
pub async fn store_revision(store: &Store, tenant: TenantId) -> Revision {
    let mut tx = store.begin("store_revision").await.unwrap();
    let head = revisions::head(&mut tx, tenant).await.unwrap().unwrap();
    let fresh = RevisionId::fresh(&SystemIds);
    let revision = revisions::take(&mut tx, tenant, &head, fresh, at(10))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    revision
}

/// Stores a generation of these revisions.
pub async fn store_generation(store: &Store, instance: InstanceId, taken: &[&Revision]) -> Generation {
    let (template_digest, files) = templates();
    let mut tx = store.begin("store_generation").await.unwrap();
    template_sets::keep(&mut tx, template_digest, &files, at(11))
        .await
        .unwrap();
    let generation = Generation {
        id: GenerationId::fresh(&SystemIds),
        instance_id: instance,
        number: generations::next_number(&mut tx, instance).await.unwrap(),
        template_digest,
        settings_revision: 1,
        marker_salt: 7,
        tenants: taken
            .iter()
            .map(|revision| (revision.tenant_id, revision.id))
            .collect(),
        created_at: at(12),
    };
    generations::insert(&mut tx, &generation).await.unwrap();
    tx.commit().await.unwrap();
    generation
}
