//! `switchyard tenant delete`.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::app::error::AppError;
use crate::app::precondition::IfMatch;
use crate::app::tenant_deletion::{self, DeletionPreview};
use crate::app::views::LeavingView;
use crate::app::{operator, tenants};
use crate::cli::deploy::aftermath::see_through;
use crate::cli::exit::Exit;
use crate::cli::{Context, Failure, confirmation, lookup};
use crate::daemon::parts::Parts;
use crate::domain::ids::TenantId;
use crate::domain::sip_domain::SipDomain;

pub const EXAMPLE: &str = "Only a suspended tenant is deleted. It is taken off its PBX first, with or without a running daemon.\
    \n\nExample:\n  switchyard tenant delete acme.example.com";

/// How long a daemon is waited for that has what is left to be removed in its hands.
const MOMENT: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(250);

/// Which tenant.
#[derive(Args)]
pub struct Delete {
    /// Its SIP domain
    domain: SipDomain,
    /// Do not ask for its name
    #[arg(long)]
    yes: bool,
    /// How long to wait for another process that drives its PBX
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// A tenant that is gone, or that goes.
#[derive(Serialize)]
struct Deleted {
    #[serde(flatten)]
    leaving: LeavingView,
    gone: bool,
}

pub fn run(context: &mut Context<'_>, delete: &Delete) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let caller = operator::platform(None);
        let tenant = lookup::tenant(parts, &delete.domain).await?;
        let preview = tenant_deletion::preview(&parts.app, &caller, tenant.id).await?;
        let confirm = if preview.refused.is_empty() {
            confirmation::given(context, delete.yes, &preview.confirm, &what_goes(&preview))?
        } else {
            // It says why.
            String::new()
        };
        let leaving =
            match tenant_deletion::delete(&parts.app, &caller, tenant.id, &confirm, &IfMatch::Any).await {
                Err(AppError::Conflict {
                    code: "confirmation_mismatch",
                    ..
                }) => {
                    return Err(confirmation::missing(&preview.confirm));
                }
                leaving => leaving?,
            };
        let asked = leaving.deployments.clone();
        let patience = Duration::from_secs(delete.timeout);
        let (exit, said) = see_through(context, parts, &asked, patience).await?;
        let gone = exit == Exit::Ok && finish(parts, tenant.id).await?;
        let view = Deleted {
            leaving: leaving.into(),
            gone,
        };
        let told = context.output.result(&view, |text| {
            if gone {
                text.line(&format!("{} is gone", view.leaving.tenant.name))?;
            }
            let left = view.leaving.not_removed.iter();
            left.map(|left| format!("not removed: {left}"))
                .try_for_each(|line| text.line(&line))
        });
        match (gone, exit) {
            (true, _) => told,
            (false, Exit::Ok) => {
                let waits = "it goes as soon as its host's daemon has removed what is left of it there, and its webhooks were told";
                Failure::verdict(told, Exit::DeployPending, waits)
            }
            (false, exit) => {
                let waits = format!(
                    "it goes as soon as its PBX serves it no more: {said}; the daemon asks again by itself"
                );
                Failure::verdict(told, exit, waits)
            }
        }
    })
}

/// Removes what is left, unless a daemon does.
async fn finish(parts: &Parts, id: TenantId) -> Result<bool, Failure> {
    let caller = operator::platform(None);
    let deadline = Instant::now() + MOMENT;
    loop {
        match tenant_deletion::finish(&parts.app, &caller, id).await {
            Ok(true) | Err(AppError::NotFound) => return Ok(true),
            Ok(false) => {}
            Err(error) => return Err(error.into()),
        }
        if let Err(AppError::NotFound) = tenants::find(&parts.app, &caller, id).await {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(AGAIN).await;
    }
}

fn what_goes(preview: &DeletionPreview) -> String {
    let goes = &preview.belongings;
    format!(
        "this removes {} for good, with {} users, {} extensions, {} roles and {} deployments",
        preview.confirm, goes.users, goes.extensions, goes.roles, goes.deployments
    )
}
