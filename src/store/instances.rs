//! Rows of PBX instances.

use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::row::{Origin, RawJson, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx, sealing_keys};
use super::{call_gaps, recordings};
use crate::domain::digest::Digest;
use crate::domain::ids::{GenerationId, InstanceId};
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::name::InstanceName;

macro_rules! select {
    ($($rest:literal),+) => {
        concat!(
            "select id, name, node, settings, settings_revision, live_generation_id, applying_generation_id, \
             created_at from instances ",
            $($rest),+
        )
    };
}

statements! {
    INSERT = "insert into instances (id, name, node, settings, settings_revision, control_secret, \
        database_secret, live_generation_id, applying_generation_id, created_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    FIND = select!("where id = $1");
    FIND_BY_NAME = select!("where name = $1");
    LIST = select!("order by name");
    SECRETS = "select control_secret, database_secret from instances where id = $1";
    SET_SECRETS = "update instances set control_secret = $2, database_secret = $3 where id = $1";
    UPDATE_SETTINGS = "update instances set settings = $2, settings_revision = settings_revision + 1 \
        where id = $1 returning settings_revision";
    KEEP_SETTINGS = "insert into instance_settings (instance_id, revision, settings) \
        select id, settings_revision, settings from instances where id = $1";
    FORGET_SETTINGS = "delete from instance_settings where instance_id = $1 \
        and revision <> (select settings_revision from instances where id = $1) \
        and not exists (select 1 from generations g where g.instance_id = $1 and g.settings_revision = instance_settings.revision)";
    LIVE_SETTINGS = "select s.settings from instances i join generations g on g.id = i.live_generation_id \
        join instance_settings s on s.instance_id = i.id and s.revision = g.settings_revision where i.id = $1";
    RENAME = "update instances set name = $2 where id = $1";
    DELETE = "delete from instances where id = $1";
    SET_APPLYING = "update instances set applying_generation_id = $2 where id = $1";
    SET_LIVE = "update instances set live_generation_id = $2, applying_generation_id = null where id = $1";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    node: String,
    settings: RawJson,
    settings_revision: i64,
    live_generation_id: Option<Uuid>,
    applying_generation_id: Option<Uuid>,
    created_at: i64,
}

impl Row {
    fn parse(self) -> Result<PbxInstance, StoreError> {
        let origin = Origin {
            table: "instances",
            id: self.id,
        };
        Ok(PbxInstance {
            id: InstanceId::from_uuid(self.id),
            name: origin.text("name", &self.name)?,
            node: origin.text("node", &self.node)?,
            settings: origin.json("settings", &self.settings)?,
            settings_revision: self.settings_revision,
            live: self.live_generation_id.map(GenerationId::from_uuid),
            applying: self.applying_generation_id.map(GenerationId::from_uuid),
            created_at: origin.time("created_at", self.created_at)?,
        })
    }
}

/// Where the secret of the control interface is sealed; it is named as when Asterisk's was the only one.
pub(super) fn control_secret_place(id: Uuid) -> String {
    format!("instances.ami_secret/{id}")
}

fn database_secret_place(id: Uuid) -> String {
    format!("instances.database_secret/{id}")
}

#[derive(sqlx::FromRow)]
struct Sealed {
    control_secret: Vec<u8>,
    database_secret: Option<Vec<u8>>,
}

impl Sealed {
    fn seal(tx: &Tx, id: InstanceId, secrets: &InstanceSecrets) -> Result<Self, StoreError> {
        let control = secrets.control.expose_secret();
        let database = secrets
            .database
            .as_ref()
            .map(|secret| tx.seal(&database_secret_place(id.uuid()), secret.expose_secret()));
        Ok(Self {
            control_secret: tx.seal(&control_secret_place(id.uuid()), control)?,
            database_secret: database.transpose()?,
        })
    }

    fn unseal(self, tx: &Tx, id: InstanceId) -> Result<InstanceSecrets, StoreError> {
        let database = self
            .database_secret
            .map(|sealed| tx.unseal(&database_secret_place(id.uuid()), &sealed));
        Ok(InstanceSecrets {
            control: tx.unseal(&control_secret_place(id.uuid()), &self.control_secret)?,
            database: database.transpose()?,
        })
    }
}

/// Adds an instance with its secrets. A name that is taken is a conflict; with another key than the database's it is
/// refused.
pub async fn insert(
    tx: &mut Tx,
    instance: &PbxInstance,
    secrets: &InstanceSecrets,
) -> Result<(), StoreError> {
    sealing_keys::claim(tx).await?;
    let sealed = Sealed::seal(tx, instance.id, secrets)?;
    run!(
        tx,
        execute(
            INSERT,
            instance.id.uuid(),
            instance.name.as_str(),
            instance.node.as_str(),
            to_json("settings", &instance.settings)?,
            instance.settings_revision,
            sealed.control_secret,
            sealed.database_secret,
            instance.live.map(GenerationId::uuid),
            instance.applying.map(GenerationId::uuid),
            instance.created_at.as_microsecond(),
        )
    )?;
    run!(tx, execute(KEEP_SETTINGS, instance.id.uuid()))?;
    Ok(())
}

/// The instance with this id.
pub async fn find(tx: &mut Tx, id: InstanceId) -> Result<Option<PbxInstance>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// The instance with this name.
pub async fn find_by_name(tx: &mut Tx, name: &InstanceName) -> Result<Option<PbxInstance>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND_BY_NAME, name.as_str()))?
        .map(Row::parse)
        .transpose()
}

/// All instances, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<PbxInstance>, StoreError> {
    run!(tx, fetch_all::<Row>(LIST))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// What is signed in with at the instance.
pub async fn secrets(tx: &mut Tx, id: InstanceId) -> Result<Option<InstanceSecrets>, StoreError> {
    let sealed = run!(tx, fetch_optional::<Sealed>(SECRETS, id.uuid()))?;
    sealed.map(|sealed| sealed.unseal(tx, id)).transpose()
}

/// Something that is another one whenever a secret was set again, and says nothing of it: no seal is made twice.
pub async fn secrets_mark(tx: &mut Tx, id: InstanceId) -> Result<Option<Digest>, StoreError> {
    let sealed = run!(tx, fetch_optional::<Sealed>(SECRETS, id.uuid()))?;
    Ok(sealed.map(|sealed| {
        let database = sealed.database_secret.unwrap_or_default();
        Digest::of_parts([sealed.control_secret.as_slice(), &database])
    }))
}

/// Replaces the secrets; false when there is no such instance.
pub async fn set_secrets(tx: &mut Tx, id: InstanceId, secrets: &InstanceSecrets) -> Result<bool, StoreError> {
    sealing_keys::claim(tx).await?;
    let sealed = Sealed::seal(tx, id, secrets)?;
    let set = run!(
        tx,
        execute(
            SET_SECRETS,
            id.uuid(),
            sealed.control_secret,
            sealed.database_secret
        )
    )?;
    Ok(set == 1)
}

/// Replaces the settings; answers their new revision. Those before stay as long as a generation was made with them.
pub async fn update_settings(
    tx: &mut Tx,
    id: InstanceId,
    settings: &InstanceSettings,
) -> Result<Option<i64>, StoreError> {
    let settings = to_json("settings", settings)?;
    let revision = run!(tx, fetch_optional::<(i64,)>(UPDATE_SETTINGS, id.uuid(), settings))?;
    run!(tx, execute(KEEP_SETTINGS, id.uuid()))?;
    run!(tx, execute(FORGET_SETTINGS, id.uuid()))?;
    Ok(revision.map(|(revision,)| revision))
}

/// The settings that the live generation was made with; none before the first, and where it was made before they were
/// kept.
pub async fn live_settings(tx: &mut Tx, id: InstanceId) -> Result<Option<InstanceSettings>, StoreError> {
    let origin = Origin {
        table: "instance_settings",
        id: id.uuid(),
    };
    let settings = run!(tx, fetch_optional::<(RawJson,)>(LIVE_SETTINGS, id.uuid()))?;
    settings
        .map(|(settings,)| origin.json("settings", &settings))
        .transpose()
}

/// Notes which of the instance's generations is being applied, before the first byte moves; or, with `None`,
/// that none is and the live one is proven still to run. False when there is no such instance.
pub async fn set_applying(
    tx: &mut Tx,
    id: InstanceId,
    generation: Option<GenerationId>,
) -> Result<bool, StoreError> {
    Ok(run!(
        tx,
        execute(SET_APPLYING, id.uuid(), generation.map(GenerationId::uuid))
    )? == 1)
}

/// Notes which of the instance's generations was proven to run; nothing is being applied any more. False
/// when there is no such instance.
pub async fn set_live(tx: &mut Tx, id: InstanceId, generation: GenerationId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(SET_LIVE, id.uuid(), generation.uuid()))? == 1)
}

/// Gives an instance another name; false when there is no such instance. One that is taken is a conflict.
pub async fn rename(tx: &mut Tx, id: InstanceId, name: &InstanceName) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(RENAME, id.uuid(), name.as_str()))? == 1)
}

/// Deletes an instance with its generations, its deployments and what its tests found; false when there is no such
/// instance. One that a tenant is assigned to is in use.
pub async fn delete(tx: &mut Tx, id: InstanceId) -> Result<bool, StoreError> {
    recordings::lose_all(tx, id).await?;
    call_gaps::forget(tx, id).await?;
    Ok(run!(tx, execute(DELETE, id.uuid()))? == 1)
}
