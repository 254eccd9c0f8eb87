//! Bringing in tenants and extensions that stand on a PBX, which is only read: a dry run first, all or none, every row told.

mod report;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::extension_import::untaken;
use super::extensions::EmergencyNumbers;
use super::found_extension::{self, Looked};
use super::tenants::{TenantInput, made};
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::deploy::DeployError;
use crate::domain::error_chain::error_chain;
use crate::domain::extension::Extension;
use crate::domain::found::FoundTenant;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::invalid::FieldErrors;
use crate::domain::permission::{Permission, PlatformPermission};
use crate::domain::secret::ExtensionSecrets;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{Suspension, SuspensionCategory, SuspensionPolicy, Tenant, TenantStatus};
use crate::driver::{asterisk, fusionpbx};
use crate::store::{self, Tx, domains, instances, tenant_lifecycle, tenants};

pub use self::report::{AsideReport, ExtensionReport, PbxImportReport, TenantReport};

/// How it is gone about.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Only report.
    pub dry_run: bool,
    /// Bring in what is good, and leave out the rest; otherwise nothing is brought in where anything is wrong.
    pub skip_wrong: bool,
}

/// Brings the extensions of an Asterisk's directory into the tenant that the caller is in; with a context those alone whose
/// calls begin in it.
pub async fn from_asterisk(
    app: &App,
    caller: &Caller,
    directory: PathBuf,
    context: Option<String>,
    manner: Manner,
) -> Result<PbxImportReport, AppError> {
    let id = caller.tenant(Permission::ConfigWrite, Act::Change)?;
    let source =
        json!({"kind": "asterisk", "directory": directory.display().to_string(), "context": context});
    let found = spawn_blocking(move || asterisk::found::read(&directory, context.as_deref()));
    let found = found
        .await
        .map_err(|error| AppError::from(DeployError::from(error)))?;
    let found = found.map_err(|error| FieldErrors::one("directory", error_chain(&error)))?;
    let mut tx = app.store.read("import_into").await?;
    let (tenant, instance) = place_of(&mut tx, id).await?;
    drop(tx);
    let seen = (tenant.domain, instance.settings.kind());
    let looked = found_extension::look(found.extensions, seen.0.clone(), seen.1).await?;
    let begun = app.begin_inside(caller, Permission::ConfigWrite, "import_from_asterisk");
    let (mut tx, caller, id) = begun.await?;
    let (tenant, instance) = place_of(&mut tx, id).await?;
    if (&tenant.domain, instance.settings.kind()) != (&seen.0, seen.1) {
        let message = "the tenant was given another domain or another PBX meanwhile; import once more";
        return Err(AppError::conflict("overtaken", message));
    }
    let mut import = Import::new(app, &caller, manner, source);
    let mut there = TenantReport::of(&tenant, None);
    there.aside = found.aside.into_iter().map(AsideReport::from).collect();
    import
        .extensions(&mut tx, &tenant, &instance, there, looked)
        .await?;
    import.finish(tx).await
}

/// A tenant, and the instance that serves it.
async fn place_of(tx: &mut Tx, id: TenantId) -> Result<(Tenant, PbxInstance), AppError> {
    let tenant = tenants::find(tx, id).await?.ok_or(AppError::NotFound)?;
    let instance = instances::find(tx, tenant.instance_id).await?;
    Ok((tenant, instance.ok_or(AppError::NotFound)?))
}

/// Brings the domains of a FusionPBX in as tenants of another instance; of all that it did not get from here, or of those that
/// are named.
pub async fn from_fusionpbx(
    app: &App,
    caller: &Caller,
    source: InstanceId,
    domains: &[SipDomain],
    onto: InstanceId,
    manner: Manner,
) -> Result<PbxImportReport, AppError> {
    let right = PlatformPermission::TenantsCreate;
    caller.platform(right)?;
    if source == onto {
        let reason = "must be another instance: rows that stand on this one would be in the way of its own";
        return Err(FieldErrors::one("onto", reason).into());
    }
    let (source, secrets, onto) = {
        let mut tx = app.store.read("import_from").await?;
        let source = instances::find(&mut tx, source)
            .await?
            .ok_or(AppError::NotFound)?;
        let secrets = instances::secrets(&mut tx, source.id)
            .await?
            .ok_or(AppError::NotFound)?;
        let onto = instances::find(&mut tx, onto).await?.ok_or(AppError::NotFound)?;
        (source, secrets, onto)
    };
    let InstanceSettings::FusionPbx(settings) = &source.settings else {
        return Err(FieldErrors::one("instance", "must be a FusionPBX").into());
    };
    if source.node != *app.engine.node() {
        // At the same address of this host may be another FusionPBX.
        let (name, node) = (source.name, source.node);
        return Err(DeployError::DrivenElsewhere { name, node }.into());
    }
    let found = fusionpbx::found::tenants(source.id, settings, &secrets, domains).await;
    let found = found.map_err(|error| AppError::from(DeployError::Driver(error)))?;
    let mut errors = FieldErrors::default();
    for domain in domains {
        let is = |tenant: &FoundTenant| tenant.domain.eq_ignore_ascii_case(domain.as_str());
        if !found.tenants.iter().any(is) {
            errors.add(
                "domain",
                format!("{domain} is none of that FusionPBX, or was made from here"),
            );
        }
    }
    errors.check()?;
    let mut looked = Vec::new();
    for mut tenant in found.tenants {
        let extensions = std::mem::take(&mut tenant.found.extensions);
        let count = extensions.len();
        let extensions = match tenant.domain.parse() {
            Ok(domain) => found_extension::look(extensions, domain, onto.settings.kind()).await?,
            // It is no tenant then.
            Err(_) => Vec::new(),
        };
        looked.push((tenant, count, extensions));
    }
    let from = json!({"kind": "fusionpbx", "pbx_instance_id": source.id, "name": source.name});
    let begun = app.begin_on_platform(caller, right, None, "import_from_fusionpbx");
    let (mut tx, caller) = begun.await?;
    let mut import = Import::new(app, &caller, manner, from);
    for (tenant, count, extensions) in looked {
        import.tenant(&mut tx, &onto, tenant, count, extensions).await?;
    }
    import.report.aside = found.aside.into_iter().map(AsideReport::from).collect();
    import.finish(tx).await
}

/// An import under way.
struct Import<'a> {
    app: &'a App,
    caller: &'a Caller,
    manner: Manner,
    /// Where all of it comes from, for the audit log.
    source: Value,
    report: PbxImportReport,
    fresh: Vec<(Extension, ExtensionSecrets)>,
    entries: Vec<Changed>,
}

impl<'a> Import<'a> {
    fn new(app: &'a App, caller: &'a Caller, manner: Manner, source: Value) -> Self {
        Self {
            app,
            caller,
            manner,
            source,
            report: PbxImportReport::default(),
            fresh: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Makes a tenant of what was found, if it can be one. `count`: how many extensions it has.
    async fn tenant(
        &mut self,
        tx: &mut Tx,
        onto: &PbxInstance,
        found: FoundTenant,
        count: usize,
        extensions: Vec<Looked>,
    ) -> Result<(), AppError> {
        let mut errors = FieldErrors::default();
        let input = TenantInput {
            name: Some(found.name.clone()),
            domain: Some(found.domain.clone()),
            timezone: None,
            pbx_instance_id: Some(onto.id.to_string()),
        };
        let parsed = input.parse(&mut errors, None);
        if let Some(parsed) = &parsed
            && self.is_taken(tx, parsed.domain()).await?
        {
            errors.add("domain", "is, or was not long ago, that of a tenant that is here");
        }
        let Some(parsed) = parsed.filter(|_| errors.is_empty()) else {
            self.report.bad += 1;
            self.report
                .tenants
                .push(TenantReport::wrong(found, count, errors));
            return Ok(());
        };
        let tenant = self.app.insert_tenant(tx, parsed).await?;
        self.entries.push(made(&tenant, None));
        if !found.is_served {
            self.suspend(tx, &tenant).await?;
        }
        let mut report = TenantReport::of(&tenant, Some(found.place));
        report.notes = found.notes;
        report.aside = found.found.aside.into_iter().map(AsideReport::from).collect();
        self.extensions(tx, &tenant, onto, report, extensions).await
    }

    async fn is_taken(&self, tx: &mut Tx, domain: &SipDomain) -> Result<bool, AppError> {
        let nobody = TenantId::fresh(self.app.ids.as_ref());
        Ok(tenants::find_by_domain(tx, domain).await?.is_some()
            || domains::is_reserved(tx, domain, nobody).await?)
    }

    /// Whoever was switched off there is not let in here.
    async fn suspend(&mut self, tx: &mut Tx, tenant: &Tenant) -> Result<(), AppError> {
        let policy = SuspensionPolicy::BlockAll;
        let suspension = Suspension {
            category: SuspensionCategory::Other,
            reason: SWITCHED_OFF.parse().ok(),
            at: self.app.now(),
        };
        tenant_lifecycle::set_policy(tx, tenant.id, policy).await?;
        tenant_lifecycle::suspend(tx, tenant.id, &suspension).await?;
        self.entries.push(Changed {
            action: "tenant.suspend",
            resource: "tenant",
            target: tenant.id.to_string(),
            tenant_id: Some(tenant.id),
            before: Some(json!({"status": tenant.status})),
            after: Some(
                json!({"status": TenantStatus::Suspended, "category": suspension.category,
                "reason": suspension.reason, "suspension_policy": policy}),
            ),
        });
        Ok(())
    }

    /// Makes extensions of what was found, of those that can be some.
    async fn extensions(
        &mut self,
        tx: &mut Tx,
        tenant: &Tenant,
        instance: &PbxInstance,
        mut report: TenantReport,
        looked: Vec<Looked>,
    ) -> Result<(), AppError> {
        let emergency = EmergencyNumbers::from(instance.settings.clone());
        let there = store::extensions::all(tx, tenant.id).await?;
        let mut taken: BTreeSet<String> = there
            .into_iter()
            .map(|extension| extension.number.to_string())
            .collect();
        let mut fresh = Vec::new();
        let mut renewed = Vec::new();
        for extension in looked {
            let Looked {
                place,
                number,
                parsed,
                notes,
            } = extension;
            let parsed = parsed
                .and_then(|parsed| emergency.refuse(&parsed.number).map(|()| parsed))
                .and_then(|parsed| untaken(parsed, &mut taken));
            let errors = match parsed {
                Err(errors) => errors,
                Ok(parsed) => {
                    if parsed.secret.is_none() {
                        renewed.push(parsed.number.to_string());
                    }
                    fresh.push(self.app.fresh_extension(tenant.id, parsed)?);
                    FieldErrors::default()
                }
            };
            report.extensions.push(ExtensionReport {
                place,
                number,
                errors,
                notes,
            });
        }
        self.report.bad += report.extensions.len() - fresh.len();
        if let Some(full) = self.full(tx, tenant.id, fresh.len()).await? {
            self.report.bad += 1;
            report.errors.add("max_extensions", full);
        } else if !fresh.is_empty() {
            self.report.good += fresh.len();
            let numbers: Vec<&str> = fresh
                .iter()
                .map(|(extension, _)| extension.number.as_str())
                .collect();
            self.entries.push(Changed {
                action: "extension.import",
                resource: "tenant",
                target: tenant.id.to_string(),
                tenant_id: Some(tenant.id),
                before: None,
                after: Some(json!({"source": self.source, "numbers": numbers, "new_secrets": renewed})),
            });
            self.fresh.extend(fresh);
        }
        self.report.tenants.push(report);
        Ok(())
    }

    /// Why a tenant cannot have so many more extensions, if it cannot.
    async fn full(&self, tx: &mut Tx, tenant: TenantId, more: usize) -> Result<Option<String>, AppError> {
        if more == 0 {
            return Ok(None);
        }
        match self.app.check_room(tx, tenant, more).await {
            Err(AppError::Conflict { message, .. }) => {
                Ok(Some(format!("does not suffice for {more} more: {message}")))
            }
            done => done.map(|()| None),
        }
    }

    const fn is_to_be_kept(&self) -> bool {
        !self.manner.dry_run && (self.report.bad == 0 || self.manner.skip_wrong)
    }

    /// Keeps all of it, or nothing.
    async fn finish(mut self, mut tx: Tx) -> Result<PbxImportReport, AppError> {
        if self.is_to_be_kept() && !self.entries.is_empty() {
            let borrowed: Vec<(&Extension, &ExtensionSecrets)> = self
                .fresh
                .iter()
                .map(|(extension, secrets)| (extension, secrets))
                .collect();
            store::extensions::insert_many(&mut tx, &borrowed).await?;
            for entry in self.entries {
                self.app.audit(&mut tx, self.caller, entry)?;
            }
            tx.commit().await?;
            self.report.imported = true;
        }
        Ok(self.report)
    }
}

/// Why a tenant is suspended from the start.
const SWITCHED_OFF: &str = "Its domain was disabled in FusionPBX when it was brought in";
