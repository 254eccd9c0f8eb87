//! `switchyard tenant suspend` and `reactivate`.

use std::time::Duration;

use clap::Args;

use crate::app::operator;
use crate::app::precondition::IfMatch;
use crate::app::tenant_status::{self, Followed, SuspensionInput};
use crate::app::views::FollowedView;
use crate::cli::deploy::aftermath::see_through;
use crate::cli::{Context, Failure, lookup};
use crate::daemon::parts::Parts;
use crate::domain::reason::Reason;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{SuspensionCategory, TenantStatus};

pub const SUSPEND: &str = "Its people are refused at once. What its phones may do is its suspension policy; where they are \
    refused, their PBX is told with or without a running daemon.\n\nExample:\n  switchyard tenant suspend acme.example.com \
    --category non_payment --reason 'Three months'";
pub const REACTIVATE: &str = "Example:\n  switchyard tenant reactivate acme.example.com";

/// A tenant, and how long its PBX is waited for.
#[derive(Args)]
pub struct Whom {
    /// Its SIP domain
    domain: SipDomain,
    /// How long to wait for another process that drives its PBX
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// Why a tenant is suspended.
#[derive(Args)]
pub struct Suspend {
    #[command(flatten)]
    whom: Whom,
    /// `non_payment`, `policy`, `pause` or `other`
    #[arg(long)]
    category: SuspensionCategory,
    /// The reason in words
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
}

pub fn suspend(context: &mut Context<'_>, suspend: Suspend) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let id = lookup::tenant(parts, &suspend.whom.domain).await?.id;
        let input = SuspensionInput {
            category: Some(suspend.category.to_string()),
            reason: suspend.reason.map(|reason| reason.to_string()),
        };
        let followed =
            tenant_status::suspend(&parts.app, &operator::platform(None), id, input, &IfMatch::Any).await?;
        tell(context, parts, followed, suspend.whom.timeout).await
    })
}

pub fn reactivate(context: &mut Context<'_>, whom: &Whom) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let id = lookup::tenant(parts, &whom.domain).await?.id;
        let followed =
            tenant_status::reactivate(&parts.app, &operator::platform(None), id, &IfMatch::Any).await?;
        tell(context, parts, followed, whom.timeout).await
    })
}

async fn tell(
    context: &mut Context<'_>,
    parts: &Parts,
    followed: Followed,
    timeout: u64,
) -> Result<(), Failure> {
    let asked = followed.deployments.clone();
    let (exit, said) = see_through(context, parts, &asked, Duration::from_secs(timeout)).await?;
    let view = FollowedView::from(followed);
    let state = match view.tenant.status {
        TenantStatus::Active => "works again",
        TenantStatus::Suspended | TenantStatus::Deleting => "is suspended",
    };
    let told = context
        .output
        .result(&view, |text| text.line(&format!("{} {state}", view.tenant.name)));
    let still = format!("its phones are served as before: {said}; the daemon asks again by itself");
    Failure::verdict(told, exit, still)
}
