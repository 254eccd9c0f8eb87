//! `switchyard tenant`: the customers, each with a SIP domain of its own.

mod delete;
mod status;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use super::paging::{self, Paging};
use super::{Context, Failure, lookup};
use crate::app::tenants::{self, TenantInput};
use crate::app::views::{TenantRowView, TenantView};
use crate::app::{instances, operator};
use crate::daemon::parts::Parts;
use crate::domain::ids::InstanceId;
use crate::domain::name::InstanceName;
use crate::domain::query::{TenantQuery, TenantSort};
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{Tenant, TenantStatus};

/// What to do with tenants.
#[derive(Subcommand)]
pub enum TenantCommand {
    /// Add a tenant
    #[command(
        after_help = "Example:\n  switchyard tenant add --name 'Acme Inc.' --domain acme.example.com \
        --timezone Europe/Berlin"
    )]
    Add(Add),
    /// List tenants, one page at a time
    #[command(after_help = "Example:\n  switchyard tenant list --search acme --sort created_at --descending")]
    List(Box<List>),
    /// Suspend a tenant; its phones may do what its policy says
    #[command(after_help = status::SUSPEND)]
    Suspend(status::Suspend),
    /// Let a suspended tenant work again
    #[command(after_help = status::REACTIVATE)]
    Reactivate(status::Whom),
    /// Delete a suspended tenant for good, with all that is its own
    #[command(after_help = delete::EXAMPLE)]
    Delete(delete::Delete),
    /// Show one tenant
    #[command(after_help = "Example:\n  switchyard tenant show acme.example.com")]
    Show {
        /// Its SIP domain
        domain: SipDomain,
    },
}

/// A new tenant.
#[derive(Args)]
pub struct Add {
    /// As people call it: 3 to 50 characters
    #[arg(long)]
    name: String,
    /// Its SIP domain, which its phones sign in at
    #[arg(long)]
    domain: String,
    /// Its IANA time zone [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// The PBX instance that serves it [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    instance: Option<InstanceName>,
}

/// Which tenants.
#[derive(Args)]
pub struct List {
    /// A part of name or domain
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those with this status: `active`, `suspended` or `deleting`
    #[arg(long)]
    status: Option<TenantStatus>,
    /// Only those of this PBX instance
    #[arg(long, value_name = "NAME")]
    instance: Option<InstanceName>,
    /// `id`, `name`, `domain`, `owner`, `status`, `pbx_instance`, `users`, `extensions`, `files`, `last_activity` or
    /// `created_at`
    #[arg(long, value_name = "FIELD", default_value_t = TenantSort::Name)]
    sort: TenantSort,
    /// The other way round
    #[arg(long)]
    descending: bool,
    #[command(flatten)]
    paging: Paging,
}

pub fn run(context: &mut Context<'_>, command: TenantCommand) -> Result<(), Failure> {
    match command {
        TenantCommand::Add(new) => add(context, new),
        TenantCommand::List(wanted) => list(context, *wanted),
        TenantCommand::Suspend(suspend) => status::suspend(context, suspend),
        TenantCommand::Reactivate(whom) => status::reactivate(context, &whom),
        TenantCommand::Delete(delete) => delete::run(context, &delete),
        TenantCommand::Show { domain } => show(context, &domain),
    }
}

fn add(context: &mut Context<'_>, new: Add) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let instance = match &new.instance {
            Some(name) => Some(lookup::instance(parts, name).await?),
            None => None,
        };
        let input = TenantInput {
            name: Some(new.name),
            domain: Some(new.domain),
            timezone: new.timezone,
            pbx_instance_id: instance.map(|instance| instance.id.to_string()),
        };
        let tenant = tenants::create(&parts.app, &operator::platform(None), input).await?;
        let view = TenantView::from(tenant);
        context.output.result(&view, |text| {
            text.line(&format!(
                "{} is added; its phones sign in at {}",
                view.name, view.domain
            ))
        })
    })
}

fn list(context: &mut Context<'_>, wanted: List) -> Result<(), Failure> {
    let page = wanted.paging.request()?;
    context.with_parts(async |context, parts| {
        let instance_id = match &wanted.instance {
            Some(name) => Some(lookup::instance(parts, name).await?.id),
            None => None,
        };
        let query = TenantQuery {
            search: wanted.search,
            status: wanted.status,
            instance_id,
            sort: wanted.sort,
            descending: wanted.descending,
            page,
        };
        let page = tenants::list(&parts.app, &operator::platform(None), &query).await?;
        let names = instance_names(parts).await?;
        let rows: Vec<[String; 6]> = page
            .items
            .iter()
            .map(|found| row(&found.tenant, &names))
            .collect();
        paging::write(&mut context.output, &page.map(TenantRowView::from), |text| {
            let headings = ["DOMAIN", "NAME", "STATUS", "INSTANCE", "TIMEZONE", "CREATED"];
            text.table(headings, &rows)
        })
    })
}

fn show(context: &mut Context<'_>, domain: &SipDomain) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let tenant = lookup::tenant(parts, domain).await?;
        let [domain, name, status, instance, timezone, created] = row(&tenant, &instance_names(parts).await?);
        let view = TenantView::from(tenant);
        context.output.result(&view, |text| {
            text.fields(&[
                ("domain", domain),
                ("name", name),
                ("status", status),
                ("instance", instance),
                ("timezone", timezone),
                ("created", created),
                ("id", view.id.to_string()),
            ])
        })
    })
}

fn row(tenant: &Tenant, instances: &BTreeMap<InstanceId, InstanceName>) -> [String; 6] {
    [
        tenant.domain.to_string(),
        tenant.name.to_string(),
        tenant.status.to_string(),
        instances
            .get(&tenant.instance_id)
            .map_or_else(|| tenant.instance_id.to_string(), ToString::to_string),
        tenant.timezone.to_string(),
        format!("{:.0}", tenant.created_at),
    ]
}

async fn instance_names(parts: &Parts) -> Result<BTreeMap<InstanceId, InstanceName>, Failure> {
    let all = instances::list(&parts.app, &operator::platform(None)).await?;
    Ok(all
        .into_iter()
        .map(|instance| (instance.id, instance.name))
        .collect())
}
