//! Extensions of a tenant: list, read, create, change, delete, and their secrets.

use serde_json::{Value, json};

use super::App;
use super::audit::{Changed, merged};
use super::error::AppError;
use super::guards;
use super::precondition::{IfMatch, tag};
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::call::Presence;
use crate::domain::dial::ExtensionNumber;
use crate::domain::extension::Extension;
use crate::domain::extension_input::{ExtensionInput, ParsedExtension};
use crate::domain::ids::{ExtensionId, TenantId};
use crate::domain::instance::InstanceSettings;
use crate::domain::invalid::FieldErrors;
use crate::domain::page::Page;
use crate::domain::permission::Permission;
use crate::domain::query::ExtensionQuery;
use crate::domain::secret::{ExtensionSecrets, RevealedSecrets, ShownSecrets, SipSecret, VoicemailPin};
use crate::domain::sip_credential::SipCredential;
use crate::store::{self, Tx, extension_secrets, instances, tenants, users};

/// One page of the tenant's extensions.
pub async fn list(app: &App, caller: &Caller, query: &ExtensionQuery) -> Result<Page<Extension>, AppError> {
    let tenant = caller.tenant(Permission::ConfigRead, Act::Read)?;
    let mut tx = if query.page.offset() == 0 {
        app.store.read_once("list_extensions").await?
    } else {
        app.store.read("list_extensions").await?
    };
    Ok(store::extensions::list(&mut tx, tenant, query).await?)
}

/// One extension.
pub async fn find(app: &App, caller: &Caller, id: ExtensionId) -> Result<Extension, AppError> {
    let tenant = caller.tenant(Permission::ConfigRead, Act::Read)?;
    let mut tx = app.store.read("find_extension").await?;
    store::extensions::find(&mut tx, tenant, id)
        .await?
        .ok_or(AppError::NotFound)
}

/// Who is there, of extensions that the caller has been shown, in their order; none where that is not known.
pub async fn presences(app: &App, extensions: &[Extension]) -> Result<Vec<Option<Presence>>, AppError> {
    let Some(tenant) = extensions.first().map(|extension| extension.tenant_id) else {
        return Ok(Vec::new());
    };
    let mut tx = app.store.read_once("presences").await?;
    let Some(found) = tenants::find(&mut tx, tenant).await? else {
        return Ok(vec![None; extensions.len()]);
    };
    let asked: Vec<(ExtensionId, &ExtensionNumber)> = extensions
        .iter()
        .map(|extension| (extension.id, &extension.number))
        .collect();
    Ok(app.board.presences(tenant, found.instance_id, &asked, app.now()))
}

/// One extension by its number, as the command line names them.
pub async fn find_by_number(
    app: &App,
    caller: &Caller,
    number: &ExtensionNumber,
) -> Result<Extension, AppError> {
    let tenant = caller.tenant(Permission::ConfigRead, Act::Read)?;
    let mut tx = app.store.read("find_extension").await?;
    store::extensions::find_by_number(&mut tx, tenant, number)
        .await?
        .ok_or(AppError::NotFound)
}

/// Makes an extension; gives its secrets, which are shown this once.
pub async fn create(
    app: &App,
    caller: &Caller,
    input: ExtensionInput,
) -> Result<(Extension, ShownSecrets), AppError> {
    caller.tenant(Permission::ConfigWrite, Act::Change)?;
    caller.reason_to_change()?;
    let parsed = input.parse()?;
    let begun = app.begin_inside(caller, Permission::ConfigWrite, "create_extension");
    let (mut tx, caller, tenant) = begun.await?;
    emergency_numbers(&mut tx, tenant).await?.refuse(&parsed.number)?;
    app.check_room(&mut tx, tenant, 1).await?;
    let (extension, secrets) = app.fresh_extension(tenant, parsed)?;
    store::extensions::insert(&mut tx, &extension, &secrets).await?;
    app.audit(
        &mut tx,
        &caller,
        changed("extension.create", &extension, None, Some(view(&extension))),
    )?;
    let shown = secrets.shown();
    let shown = shown.ok_or_else(|| FieldErrors::one("secret", "must be a password"))?;
    tx.commit().await?;
    Ok((extension, shown))
}

/// Changes an extension by a JSON merge patch (RFC 7396) of its input form; one that changes nothing leaves no trace.
///
/// The number never changes, the SIP secret only by [`rotate_secret`], and the PIN can be replaced, not removed.
pub async fn patch(
    app: &App,
    caller: &Caller,
    id: ExtensionId,
    patch: Value,
    if_match: &IfMatch,
) -> Result<Extension, AppError> {
    let begun = app.begin_inside(caller, Permission::ConfigWrite, "change_extension");
    let (mut tx, caller, tenant) = begun.await?;
    let before = store::extensions::find(&mut tx, tenant, id)
        .await?
        .ok_or(AppError::NotFound)?;
    caller.reason_to_change()?;
    let mut merged = view(&before);
    refuse_fixed(&merged, &patch)?;
    merge(&mut merged, patch);
    let input: ExtensionInput =
        serde_json::from_value(merged).map_err(|error| FieldErrors::one("body", error.to_string()))?;
    let parsed = input.parse()?;
    if_match.check(&tag(&before))?;
    if parsed.settings == before.settings && parsed.pin.is_none() {
        return Ok(before);
    }
    let now = app.now();
    store::extensions::update_settings(&mut tx, tenant, id, &parsed.settings, now).await?;
    let after = Extension {
        settings: parsed.settings,
        version: before.version + 1,
        updated_at: now,
        ..before.clone()
    };
    let mut shown = view(&after);
    if let Some(pin) = &parsed.pin {
        extension_secrets::set_pin(&mut tx, tenant, id, pin).await?;
        merge(&mut shown, json!({"voicemail": {"pin": "changed; not shown"}}));
    }
    app.audit(
        &mut tx,
        &caller,
        changed("extension.change", &after, Some(view(&before)), Some(shown)),
    )?;
    tx.commit().await?;
    Ok(after)
}

fn refuse_fixed(there: &Value, patch: &Value) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    if patch
        .get("number")
        .is_some_and(|number| there.get("number") != Some(number))
    {
        errors.add("number", "cannot be changed");
    }
    if patch.get("secret").is_some() {
        errors.add("secret", "is changed by rotate-secret");
    }
    if patch.pointer("/voicemail/pin").is_some_and(Value::is_null) {
        errors.add("voicemail.pin", "cannot be removed; give another");
    }
    errors.check()
}

/// Deletes an extension; whoever had it as their phone has none then. What is live changes with the next deploy.
pub async fn delete(app: &App, caller: &Caller, id: ExtensionId, if_match: &IfMatch) -> Result<(), AppError> {
    let begun = app.begin_inside(caller, Permission::ConfigWrite, "delete_extension");
    let (mut tx, caller, tenant) = begun.await?;
    let before = store::extensions::find(&mut tx, tenant, id)
        .await?
        .ok_or(AppError::NotFound)?;
    caller.reason_to_change()?;
    if_match.check(&tag(&before))?;
    let mut was = view(&before);
    if let Some(user) = users::unlink(&mut tx, id, app.now()).await? {
        was = merged(was, json!({"linked_user_id": user}));
    }
    store::extensions::delete(&mut tx, tenant, id).await?;
    app.audit(
        &mut tx,
        &caller,
        changed("extension.delete", &before, Some(was), None),
    )?;
    tx.commit().await?;
    Ok(())
}

/// Shows an extension's secrets as far as they are known; audited. Of a digest nobody knows the password, and the PIN is shown.
pub async fn reveal_secret(
    app: &App,
    caller: &Caller,
    id: ExtensionId,
    if_match: &IfMatch,
) -> Result<RevealedSecrets, AppError> {
    let begun = app.begin_inside(caller, Permission::ConfigWrite, "reveal_secret");
    let (mut tx, caller, tenant) = begun.await?;
    let extension = store::extensions::find(&mut tx, tenant, id)
        .await?
        .ok_or(AppError::NotFound)?;
    caller.reason_to_change()?;
    if_match.check(&tag(&extension))?;
    let secrets = extension_secrets::find(&mut tx, tenant, id)
        .await?
        .ok_or(AppError::NotFound)?;
    app.audit(
        &mut tx,
        &caller,
        changed("extension.reveal_secret", &extension, None, None),
    )?;
    tx.commit().await?;
    Ok(secrets.revealed())
}

/// Gives an extension a new SIP secret, which makes it another version; phones need it once it is deployed.
pub async fn rotate_secret(
    app: &App,
    caller: &Caller,
    id: ExtensionId,
    if_match: &IfMatch,
) -> Result<SipSecret, AppError> {
    let secret = SipSecret::generate(app.random.as_ref())?;
    let begun = app.begin_inside(caller, Permission::ConfigWrite, "rotate_secret");
    let (mut tx, caller, tenant) = begun.await?;
    let extension = store::extensions::find(&mut tx, tenant, id)
        .await?
        .ok_or(AppError::NotFound)?;
    caller.reason_to_change()?;
    if_match.check(&tag(&extension))?;
    extension_secrets::set_sip(&mut tx, tenant, id, &secret).await?;
    store::extensions::count_rotation(&mut tx, tenant, id, app.now()).await?;
    app.audit(
        &mut tx,
        &caller,
        changed("extension.rotate_secret", &extension, None, None),
    )?;
    tx.commit().await?;
    Ok(secret)
}

impl App {
    /// C14: room for so many more extensions, under the tenant's lock.
    pub(super) async fn check_room(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        more: usize,
    ) -> Result<(), AppError> {
        let limits = tenants::limits(tx, tenant).await?.ok_or(AppError::NotFound)?;
        guards::room(tx, tenant, limits.max_extensions, more).await
    }

    /// An extension with an id, times, and secrets where none were given.
    pub(super) fn fresh_extension(
        &self,
        tenant_id: TenantId,
        parsed: ParsedExtension,
    ) -> Result<(Extension, ExtensionSecrets), AppError> {
        let random = self.random.as_ref();
        let generate = || SipSecret::generate(random).map(SipCredential::Password);
        let secrets = ExtensionSecrets {
            sip: parsed.secret.map_or_else(generate, Ok)?,
            pin: parsed.pin.map_or_else(|| VoicemailPin::generate(random), Ok)?,
        };
        let now = self.now();
        let extension = Extension {
            id: ExtensionId::fresh(self.ids.as_ref()),
            tenant_id,
            number: parsed.number,
            settings: parsed.settings,
            secret_known: secrets.sip.password().is_some(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        Ok((extension, secrets))
    }
}

/// The emergency numbers of the PBX that a tenant is on; the number's type has refused those of everywhere.
pub(super) struct EmergencyNumbers(InstanceSettings);

impl EmergencyNumbers {
    /// Refuses to give an extension such a number.
    pub(super) fn refuse(&self, number: &ExtensionNumber) -> Result<(), FieldErrors> {
        if self
            .0
            .all_emergency_numbers()
            .any(|emergency| emergency == number.as_str())
        {
            let reason = "must not be an emergency number of the PBX it is on";
            return Err(FieldErrors::one("number", reason));
        }
        Ok(())
    }
}

impl From<InstanceSettings> for EmergencyNumbers {
    fn from(settings: InstanceSettings) -> Self {
        Self(settings)
    }
}

pub(super) async fn emergency_numbers(tx: &mut Tx, tenant: TenantId) -> Result<EmergencyNumbers, AppError> {
    let tenant = tenants::find(tx, tenant).await?.ok_or(AppError::NotFound)?;
    let instance = instances::find(tx, tenant.instance_id)
        .await?
        .ok_or(AppError::NotFound)?;
    Ok(EmergencyNumbers(instance.settings))
}

fn changed(
    action: &'static str,
    extension: &Extension,
    before: Option<Value>,
    after: Option<Value>,
) -> Changed {
    Changed {
        action,
        resource: "extension",
        target: extension.id.to_string(),
        tenant_id: Some(extension.tenant_id),
        before,
        after,
    }
}

/// The input form, which leaves secrets out.
fn view(extension: &Extension) -> Value {
    serde_json::to_value(ExtensionInput::from(extension)).unwrap_or_default()
}

/// RFC 7396: objects merge, `null` removes, anything else replaces.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(target) = target.as_object_mut() else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_merges_as_rfc_7396_says() {
        let mut target = json!({"a": "b", "c": {"d": 1, "e": 2}, "f": [1]});
        merge(
            &mut target,
            json!({"a": null, "c": {"d": 3, "x": {"y": null}}, "f": [2]}),
        );
        assert_eq!(target, json!({"c": {"d": 3, "e": 2, "x": {}}, "f": [2]}));
    }
}
