//! The sealed secrets of extensions, which outlive their extension: a rollback brings it back with them.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::row::Origin;
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx, sealing_keys, tenants};
use crate::domain::extension::Extension;
use crate::domain::ids::{ExtensionId, TenantId};
use crate::domain::invalid::Invalid;
use crate::domain::secret::{ExtensionSecrets, SipSecret, VoicemailPin};
use crate::domain::sip_credential::SipCredential;

const TABLE: &str = "extension_secrets";

statements! {
    INSERT = "insert into extension_secrets (tenant_id, extension_id, sip, pin) values {rows}", 4;
    FIND = "select s.extension_id, s.sip, s.pin from extension_secrets s \
        join extensions e on e.tenant_id = s.tenant_id and e.id = s.extension_id \
        where s.tenant_id = $1 and s.extension_id = $2";
    OF_TENANT = "select extension_id, sip, pin from extension_secrets where tenant_id = $1";
    SET_SIP = "update extension_secrets set sip = $3 where tenant_id = $1 and extension_id = $2 \
        and exists (select 1 from extensions where tenant_id = $1 and id = $2)";
    SET_PIN = "update extension_secrets set pin = $3 where tenant_id = $1 and extension_id = $2 \
        and exists (select 1 from extensions where tenant_id = $1 and id = $2)";
}

#[derive(sqlx::FromRow)]
struct Row {
    extension_id: Uuid,
    sip: Vec<u8>,
    pin: Vec<u8>,
}

impl Row {
    fn open(self, tx: &Tx, tenant: TenantId) -> Result<(ExtensionId, ExtensionSecrets), StoreError> {
        let id = ExtensionId::from_uuid(self.extension_id);
        let sip = open("sip", tx, tenant, id, &self.sip, SipCredential::parse)?;
        let pin = open("pin", tx, tenant, id, &self.pin, VoicemailPin::parse)?;
        Ok((id, ExtensionSecrets { sip, pin }))
    }
}

fn place(column: &str, tenant: TenantId, id: ExtensionId) -> String {
    format!("{TABLE}.{column}/{tenant}/{id}")
}

fn open<T>(
    column: &str,
    tx: &Tx,
    tenant: TenantId,
    id: ExtensionId,
    sealed: &[u8],
    parse: impl FnOnce(SecretString) -> Result<T, Invalid>,
) -> Result<T, StoreError> {
    let clear = tx.unseal(&place(column, tenant, id), sealed)?;
    parse(clear).map_err(|invalid| Origin { table: TABLE, id }.corrupt(column, invalid))
}

/// Adds the secrets of new extensions. Refused with another key than the one that the rest is sealed with: no one key
/// would open all of them.
pub(super) async fn insert_many(
    tx: &mut Tx,
    extensions: &[(&Extension, &ExtensionSecrets)],
) -> Result<(), StoreError> {
    sealing_keys::claim(tx).await?;
    let mut rows = Vec::with_capacity(extensions.len());
    for (Extension { tenant_id, id, .. }, secrets) in extensions {
        let sip = tx.seal(
            &place("sip", *tenant_id, *id),
            secrets.sip.to_sealable().expose_secret(),
        )?;
        let pin = tx.seal(&place("pin", *tenant_id, *id), secrets.pin.expose())?;
        rows.push((tenant_id.uuid(), id.uuid(), sip, pin));
    }
    insert_rows!(tx, INSERT, rows, |(tenant, id, sip, pin)| (
        *tenant, *id, sip, pin
    ))?;
    Ok(())
}

/// The secrets of an extension that the tenant has.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExtensionId,
) -> Result<Option<ExtensionSecrets>, StoreError> {
    let row = run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))?;
    row.map(|row| row.open(tx, tenant).map(|(_, secrets)| secrets))
        .transpose()
}

/// The secrets of all extensions that the tenant has or had, for rendering any of its revisions.
pub async fn of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<BTreeMap<ExtensionId, ExtensionSecrets>, StoreError> {
    let rows = run!(tx, fetch_all::<Row>(OF_TENANT, tenant.uuid()))?;
    rows.into_iter().map(|row| row.open(tx, tenant)).collect()
}

/// Replaces the SIP secret and counts the change; false when the tenant has no such extension.
pub async fn set_sip(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExtensionId,
    secret: &SipSecret,
) -> Result<bool, StoreError> {
    sealing_keys::claim(tx).await?;
    let sealed = tx.seal(&place("sip", tenant, id), secret.expose())?;
    let done = run!(tx, execute(SET_SIP, tenant.uuid(), id.uuid(), sealed))?;
    count_change(tx, tenant, done).await
}

/// Replaces the mailbox's PIN and counts the change; false when the tenant has no such extension.
pub async fn set_pin(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExtensionId,
    pin: &VoicemailPin,
) -> Result<bool, StoreError> {
    sealing_keys::claim(tx).await?;
    let sealed = tx.seal(&place("pin", tenant, id), pin.expose())?;
    let done = run!(tx, execute(SET_PIN, tenant.uuid(), id.uuid(), sealed))?;
    count_change(tx, tenant, done).await
}

async fn count_change(tx: &mut Tx, tenant: TenantId, changed: u64) -> Result<bool, StoreError> {
    if changed == 1 {
        tenants::bump_secrets_version(tx, tenant).await?;
    }
    Ok(changed == 1)
}
