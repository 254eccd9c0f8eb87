//! `switchyard extension reveal`.

use clap::Args;
use serde_json::json;

use crate::app::error::AppError;
use crate::app::precondition::IfMatch;
use crate::app::views::RevealedView;
use crate::app::{extensions, operator};
use crate::cli::exit::Exit;
use crate::cli::{Context, Failure, lookup};
use crate::daemon::parts::Parts;
use crate::domain::dial::ExtensionNumber;
use crate::domain::extension::Extension;
use crate::domain::page::PageRequest;
use crate::domain::query::ExtensionQuery;
use crate::domain::secret::RevealedSecrets;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::Tenant;

pub const EXAMPLE: &str = "Each extension whose secrets are shown is an entry in the audit log. `--all --json` instead of a \
    number gives all of them, as a provisioning system needs them after an import.\n\nExample:\n  switchyard extension \
    reveal --tenant acme.example.com 1001";

/// Whose secrets.
#[derive(Args)]
pub struct Reveal {
    /// Whose it is, by SIP domain
    #[arg(long, value_name = "DOMAIN")]
    tenant: SipDomain,
    /// Its number
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    number: Option<ExtensionNumber>,
    /// Those of every extension of the tenant, by number
    #[arg(long)]
    all: bool,
}

pub fn run(context: &mut Context<'_>, reveal: &Reveal) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let tenant = lookup::tenant(parts, &reveal.tenant).await?;
        let caller = operator::in_tenant(&tenant, None);
        if let Some(number) = &reveal.number {
            let extension = lookup::extension(parts, &tenant, number).await?;
            let secrets = extensions::reveal_secret(&parts.app, &caller, extension.id, &IfMatch::Any).await?;
            let one = [(extension, secrets)];
            let (fields, unknown) = (one.each_ref().map(row), unknown(&one));
            let [[.., secret, pin]] = fields;
            let fields = [("secret", secret), ("voicemail pin", pin)];
            let [view] = one.map(|(extension, secrets)| RevealedView::new(extension, &secrets));
            let told = context.output.result(&view, |text| text.fields(&fields));
            return ended(told, &unknown);
        }
        let revealed = all(parts, &tenant).await?;
        let rows: Vec<[String; 4]> = revealed.iter().map(row).collect();
        let unknown = unknown(&revealed);
        let views: Vec<RevealedView> = revealed
            .into_iter()
            .map(|(extension, secrets)| RevealedView::new(extension, &secrets))
            .collect();
        let told = context.output.result(&json!({ "data": views }), |text| {
            text.table(["NUMBER", "NAME", "SECRET", "VOICEMAIL PIN"], &rows)
        });
        ended(told, &unknown)
    })
}

/// Whose password nobody here knows.
fn unknown(revealed: &[(Extension, RevealedSecrets)]) -> Vec<String> {
    let unknown = revealed.iter().filter(|(_, secrets)| secrets.sip.is_none());
    unknown
        .map(|(extension, _)| extension.number.to_string())
        .collect()
}

fn ended(told: Result<(), Failure>, unknown: &[String]) -> Result<(), Failure> {
    let exit = if unknown.is_empty() {
        Exit::Ok
    } else {
        Exit::Conflict
    };
    let verdict = format!(
        "of {} only a digest of the password is known: `switchyard extension rotate` gives one that can be shown",
        unknown.join(", ")
    );
    Failure::verdict(told, exit, verdict)
}

/// Every extension of the tenant with its secrets, each revealed by itself.
async fn all(parts: &Parts, tenant: &Tenant) -> Result<Vec<(Extension, RevealedSecrets)>, Failure> {
    let caller = operator::in_tenant(tenant, None);
    let mut revealed = Vec::new();
    for page in 1.. {
        let page = PageRequest::new(page, PageRequest::LARGEST).map_err(|errors| Failure::input(&errors))?;
        let query = ExtensionQuery {
            page,
            ..ExtensionQuery::default()
        };
        let listed = extensions::list(&parts.app, &caller, &query).await?;
        let last = listed.last_page() <= page.page();
        for extension in listed.items {
            match extensions::reveal_secret(&parts.app, &caller, extension.id, &IfMatch::Any).await {
                Ok(secrets) => revealed.push((extension, secrets)),
                // Deleted since it was listed.
                Err(AppError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if last {
            break;
        }
    }
    Ok(revealed)
}

fn row((extension, secrets): &(Extension, RevealedSecrets)) -> [String; 4] {
    let secret = secrets.sip.as_ref().map(|secret| secret.expose().to_owned());
    [
        extension.number.to_string(),
        extension.settings.name.to_string(),
        secret.unwrap_or_default(),
        secrets.pin.expose().to_owned(),
    ]
}
