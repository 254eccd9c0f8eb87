//! Bringing in tenants and extensions that stand on a PBX, which is only read: a dry run first, all or none, every row told.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::extension_import::untaken;
use super::extensions::EmergencyNumbers;
use super::found_extension;
use super::tenants::{TenantInput, made};
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::deploy::DeployError;
use crate::domain::error_chain::error_chain;
use crate::domain::extension::Extension;
use crate::domain::found::{Found, FoundAside, FoundTenant};
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::invalid::FieldErrors;
use crate::domain::permission::{Permission, PlatformPermission};
use crate::domain::secret::ExtensionSecrets;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::Tenant;
use crate::driver::{asterisk, fusionpbx};
use crate::store::{self, Tx, domains, instances, tenants};

/// How it is gone about.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Only report.
    pub dry_run: bool,
    /// Bring in what is good, and leave out the rest; otherwise nothing is brought in where anything is wrong.
    pub skip_wrong: bool,
}

/// What became of everything that was found.
#[derive(Serialize)]
pub struct PbxImportReport {
    /// Whether anything was brought in.
    pub imported: bool,
    /// How many extensions are good.
    pub good: usize,
    /// How many tenants and extensions are wrong.
    pub bad: usize,
    /// By domain.
    pub tenants: Vec<TenantReport>,
}

/// What became of one tenant.
#[derive(Serialize)]
pub struct TenantReport {
    /// Where it stands; none where it is here already.
    pub place: Option<String>,
    /// Its domain.
    pub domain: String,
    /// As people call it.
    pub name: String,
    /// What is wrong with it; then nothing of it can be brought in.
    pub errors: FieldErrors,
    /// Every extension.
    pub extensions: Vec<ExtensionReport>,
    /// What stays where it is.
    pub aside: Vec<AsideReport>,
}

/// What became of one extension. It holds no secret.
#[derive(Serialize)]
pub struct ExtensionReport {
    /// Where it stands.
    pub place: String,
    /// Its number, if it has one.
    pub number: Option<String>,
    /// What is wrong; empty for a good one.
    pub errors: FieldErrors,
    /// What of it is not taken over as it is.
    pub notes: Vec<String>,
}

/// Something that stays where it is.
#[derive(Serialize)]
pub struct AsideReport {
    /// Where it stands.
    pub place: String,
    /// As it is called there.
    pub name: String,
    /// Why.
    pub reason: String,
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
    caller.tenant(Permission::ConfigWrite, Act::Change)?;
    let found = spawn_blocking(move || asterisk::found::read(&directory, context.as_deref()));
    let found = found
        .await
        .map_err(|error| AppError::from(DeployError::from(error)))?;
    let found = found.map_err(|error| FieldErrors::one("directory", error_chain(&error)))?;
    let begun = app.begin_inside(caller, Permission::ConfigWrite, "import_from_asterisk");
    let (mut tx, caller, id) = begun.await?;
    let tenant = tenants::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let instance = instances::find(&mut tx, tenant.instance_id)
        .await?
        .ok_or(AppError::NotFound)?;
    let mut import = Import::new(app, &caller, manner);
    import
        .extensions(&mut tx, &tenant, &instance, None, found)
        .await?;
    let more = import.fresh_of(&tenant);
    if import.is_to_be_kept() && more > 0 {
        app.check_room(&mut tx, id, more).await?;
    }
    import.finish(tx).await
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
    let found = fusionpbx::found::tenants(source.id, settings, &secrets).await;
    let mut found = found.map_err(|error| AppError::from(DeployError::Driver(error)))?;
    if !domains.is_empty() {
        let mut errors = FieldErrors::default();
        let is =
            |tenant: &FoundTenant, domain: &SipDomain| tenant.domain.eq_ignore_ascii_case(domain.as_str());
        for domain in domains {
            if !found.iter().any(|tenant| is(tenant, domain)) {
                errors.add(
                    "domain",
                    format!("{domain} is none of that FusionPBX, or was made from here"),
                );
            }
        }
        errors.check()?;
        found.retain(|tenant| domains.iter().any(|domain| is(tenant, domain)));
    }
    let begun = app.begin_on_platform(caller, right, None, "import_from_fusionpbx");
    let (mut tx, caller) = begun.await?;
    let mut import = Import::new(app, &caller, manner);
    for tenant in found {
        import.tenant(&mut tx, &onto, tenant).await?;
    }
    import.finish(tx).await
}

/// An import under way.
struct Import<'a> {
    app: &'a App,
    caller: &'a Caller,
    manner: Manner,
    report: PbxImportReport,
    fresh: Vec<(Extension, ExtensionSecrets)>,
    entries: Vec<Changed>,
}

impl<'a> Import<'a> {
    const fn new(app: &'a App, caller: &'a Caller, manner: Manner) -> Self {
        Self {
            app,
            caller,
            manner,
            report: PbxImportReport {
                imported: false,
                good: 0,
                bad: 0,
                tenants: Vec::new(),
            },
            fresh: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Makes a tenant of what was found, if it can be one.
    async fn tenant(&mut self, tx: &mut Tx, onto: &PbxInstance, found: FoundTenant) -> Result<(), AppError> {
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
            self.report.tenants.push(TenantReport {
                place: Some(found.place),
                domain: found.domain,
                name: found.name,
                errors,
                extensions: Vec::new(),
                aside: Vec::new(),
            });
            return Ok(());
        };
        let tenant = self.app.insert_tenant(tx, parsed).await?;
        self.entries.push(made(&tenant, None));
        self.extensions(tx, &tenant, onto, Some(found.place), found.found)
            .await
    }

    async fn is_taken(&self, tx: &mut Tx, domain: &SipDomain) -> Result<bool, AppError> {
        let nobody = TenantId::fresh(self.app.ids.as_ref());
        Ok(tenants::find_by_domain(tx, domain).await?.is_some()
            || domains::is_reserved(tx, domain, nobody).await?)
    }

    /// Makes extensions of what was found, of those that can be some.
    async fn extensions(
        &mut self,
        tx: &mut Tx,
        tenant: &Tenant,
        instance: &PbxInstance,
        place: Option<String>,
        found: Found,
    ) -> Result<(), AppError> {
        let emergency = EmergencyNumbers::from(instance.settings.clone());
        let there = store::extensions::all(tx, tenant.id).await?;
        let mut taken: BTreeSet<String> = there
            .into_iter()
            .map(|extension| extension.number.to_string())
            .collect();
        let mut reports = Vec::new();
        let mut numbers = Vec::new();
        for extension in found.extensions {
            let place = extension.place.clone();
            let number = extension.input.number.clone();
            let (parsed, notes) = found_extension::parse(extension, &tenant.domain, instance.settings.kind());
            let parsed = parsed
                .and_then(|parsed| emergency.refuse(&parsed.number).map(|()| parsed))
                .and_then(|parsed| untaken(parsed, &mut taken));
            let errors = match parsed {
                Err(errors) => {
                    self.report.bad += 1;
                    errors
                }
                Ok(parsed) => {
                    self.report.good += 1;
                    let fresh = self.app.fresh_extension(tenant.id, parsed)?;
                    numbers.push(fresh.0.number.to_string());
                    self.fresh.push(fresh);
                    FieldErrors::default()
                }
            };
            reports.push(ExtensionReport {
                place,
                number,
                errors,
                notes,
            });
        }
        if !numbers.is_empty() {
            self.entries.push(Changed {
                action: "extension.import",
                resource: "tenant",
                target: tenant.id.to_string(),
                tenant_id: Some(tenant.id),
                before: None,
                after: Some(json!({ "numbers": numbers })),
            });
        }
        self.report.tenants.push(TenantReport {
            place,
            domain: tenant.domain.to_string(),
            name: tenant.name.to_string(),
            errors: FieldErrors::default(),
            extensions: reports,
            aside: found.aside.into_iter().map(AsideReport::from).collect(),
        });
        Ok(())
    }

    fn fresh_of(&self, tenant: &Tenant) -> usize {
        let own = self
            .fresh
            .iter()
            .filter(|(extension, _)| extension.tenant_id == tenant.id);
        own.count()
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

impl From<FoundAside> for AsideReport {
    fn from(aside: FoundAside) -> Self {
        Self {
            place: aside.place,
            name: aside.name,
            reason: aside.reason,
        }
    }
}
