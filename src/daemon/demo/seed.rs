//! What the demo puts into its database: one instance, two tenants that both have a 1001.

use secrecy::SecretString;

use crate::app::error::AppError;
use crate::app::precondition::IfMatch;
use crate::app::{App, extensions, instances, tenants};
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::domain::extension::Extension;
use crate::domain::extension_input::{ExtensionInput, VoicemailInput};
use crate::domain::ids::{ExtensionId, InstanceId, TenantId};
use crate::domain::instance::{InstanceSettings, NodeName};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::invalid::Invalid;
use crate::domain::name::InstanceName;
use crate::domain::page::PageRequest;
use crate::domain::query::ExtensionQuery;
use crate::domain::sip_domain::SipDomain;

use super::DemoError;

const INSTANCE: &str = "demo";
const TENANTS: [(&str, &str); 2] = [("Acme", "acme.example.com"), ("Globex", "globex.example.com")];
const EXTENSIONS: [(&str, &str); 2] = [("1001", "Reception"), ("1002", "Workshop")];

/// A tenant of the demo.
pub struct DemoTenant {
    /// Its id.
    pub id: TenantId,
    /// As people call it.
    pub name: String,
    /// Its SIP domain.
    pub domain: SipDomain,
    /// Its extensions, by number.
    pub extensions: Vec<DemoExtension>,
}

/// An extension of the demo.
pub struct DemoExtension {
    /// Its id.
    pub id: ExtensionId,
    /// Its number.
    pub number: String,
    /// What a phone signs in with.
    pub secret: SecretString,
}

/// Makes the instance, or tells an earlier demo's where the PBX is now.
pub(super) async fn instance(
    app: &App,
    caller: &Caller,
    node: &NodeName,
    settings: InstanceSettings,
    secrets: InstanceSecrets,
) -> Result<InstanceId, DemoError> {
    let name: InstanceName = INSTANCE.parse()?;
    match instances::find_by_name(app, caller, &name).await {
        Ok(instance) => Ok(
            instances::change_settings(app, caller, instance.id, settings, &secrets)
                .await?
                .id,
        ),
        Err(AppError::NotFound) => {
            let new = instances::NewInstance {
                name,
                node: node.clone(),
                settings,
                secrets,
            };
            Ok(instances::create(app, caller, new).await?.id)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes what is missing of the tenants and their extensions.
pub(super) async fn tenants(
    app: &App,
    caller: &Caller,
    instance_id: InstanceId,
) -> Result<Vec<DemoTenant>, DemoError> {
    let mut made = Vec::new();
    for (name, domain) in TENANTS {
        let domain: SipDomain = domain.parse()?;
        let tenant = match tenants::find_by_domain(app, caller, &domain).await {
            Err(AppError::NotFound) => {
                let input = tenants::TenantInput {
                    name: Some(name.to_owned()),
                    domain: Some(domain.to_string()),
                    timezone: None,
                    pbx_instance_id: Some(instance_id.to_string()),
                };
                tenants::create(app, caller, input).await?
            }
            found => found?,
        };
        let place = Place::Entered {
            id: tenant.id,
            status: tenant.status,
        };
        let inside = Caller::new(Identity::SystemCli, place, None, Origin::default());
        made.push(DemoTenant {
            id: tenant.id,
            name: tenant.name.to_string(),
            domain,
            extensions: ensure_extensions(app, &inside, name).await?,
        });
    }
    Ok(made)
}

/// An extension that a person of an earlier demo changed or added stays as it is.
async fn ensure_extensions(
    app: &App,
    caller: &Caller,
    tenant: &str,
) -> Result<Vec<DemoExtension>, DemoError> {
    for (number, name) in EXTENSIONS {
        let found = extensions::find_by_number(app, caller, &number.parse()?).await;
        if let Err(AppError::NotFound) = found {
            let input = ExtensionInput {
                number: Some(number.to_owned()),
                name: Some(format!("{tenant} {name}")),
                voicemail: Some(VoicemailInput {
                    enabled: Some(true),
                    ..VoicemailInput::default()
                }),
                ..ExtensionInput::default()
            };
            extensions::create(app, caller, input).await?;
        } else {
            found?;
        }
    }
    let mut made = Vec::new();
    for extension in all_extensions(app, caller).await? {
        let secrets = extensions::reveal_secret(app, caller, extension.id, &IfMatch::Any).await?;
        // Its phones sign in with what they were given; nobody dials from one whose password is not known.
        let Some(secret) = secrets.sip else { continue };
        made.push(DemoExtension {
            id: extension.id,
            number: extension.number.to_string(),
            secret: secret.expose().into(),
        });
    }
    Ok(made)
}

/// Those of every page, by number.
async fn all_extensions(app: &App, caller: &Caller) -> Result<Vec<Extension>, DemoError> {
    let mut all = Vec::new();
    let (mut number, mut last) = (1, 1);
    while number <= last {
        let query = ExtensionQuery {
            page: PageRequest::new(number, PageRequest::LARGEST)
                .map_err(|errors| Invalid::new(errors.to_string()))?,
            ..ExtensionQuery::default()
        };
        let page = extensions::list(app, caller, &query).await?;
        last = page.last_page();
        number += 1;
        all.extend(page.items);
    }
    Ok(all)
}
