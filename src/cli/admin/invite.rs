//! `switchyard admin invite`.

use clap::Args;

use crate::app::operator;
use crate::app::platform_users::{self, UserInput};
use crate::app::views::InvitedView;
use crate::cli::{Context, Failure, lookup};
use crate::domain::sip_domain::SipDomain;

pub const EXAMPLE: &str = "Without `--tenant` the user is to manage the platform. The link goes by mail where a mail \
    server is configured, and is shown otherwise.\n\nExample:\n  switchyard admin invite --email ann@example.com \
    --name 'Ann Example' --tenant acme.example.com --role owner";

/// Who is invited.
#[derive(Args)]
pub struct Invite {
    /// What they sign in with
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// 1 to 100 characters
    #[arg(long)]
    name: String,
    /// The SIP domain of the tenant they work for
    #[arg(long, value_name = "DOMAIN")]
    tenant: Option<SipDomain>,
    /// The name of a role of the tenant; agent if absent
    #[arg(long, requires = "tenant")]
    role: Option<String>,
}

pub fn run(context: &mut Context<'_>, invite: Invite) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let caller = operator::platform(None);
        let tenant = match &invite.tenant {
            None => None,
            Some(domain) => Some(lookup::tenant(parts, domain).await?),
        };
        let input = UserInput {
            tenant_id: tenant.as_ref().map(|tenant| tenant.id.to_string()),
            name: Some(invite.name),
            email: Some(invite.email),
            role: invite.role,
            platform_manager: Some(tenant.is_none()),
            invite: Some(true),
            ..UserInput::default()
        };
        let (user, invitation) = platform_users::create(&parts.app, &caller, input).await?;
        let value = InvitedView::new(&user, invitation.as_ref());
        context.output.result(&value, |text| {
            let place = user.membership.as_ref();
            let place = place.map_or_else(
                || "to manage the platform".to_owned(),
                |of| format!("to {} as {}", of.tenant, of.role),
            );
            text.line(&format!("{} is invited {place}", user.email))?;
            match invitation
                .as_ref()
                .and_then(|invitation| invitation.link.as_ref())
            {
                Some(link) => text.fields(&[("link", link.expose())]),
                None => text.line("the link goes by mail"),
            }
        })
    })
}
