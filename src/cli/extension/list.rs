//! `switchyard extension list`.

use clap::Args;

use crate::app::views::ExtensionView;
use crate::app::{extensions, operator};
use crate::cli::paging::{self, Paging};
use crate::cli::{Context, Failure, lookup};
use crate::domain::extension::{Extension, ExtensionStatus};
use crate::domain::query::{ExtensionQuery, ExtensionSort};
use crate::domain::sip_domain::SipDomain;

/// Which extensions.
#[derive(Args)]
pub struct List {
    /// Whose, by SIP domain
    #[arg(long, value_name = "DOMAIN")]
    tenant: SipDomain,
    /// A part of number or name
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those with this status: `active` or `disabled`
    #[arg(long)]
    status: Option<ExtensionStatus>,
    /// `number`, `name`, `status`, `created_at` or `updated_at`
    #[arg(long, value_name = "FIELD", default_value_t = ExtensionSort::Number)]
    sort: ExtensionSort,
    /// The other way round
    #[arg(long)]
    descending: bool,
    #[command(flatten)]
    paging: Paging,
}

pub fn run(context: &mut Context<'_>, list: List) -> Result<(), Failure> {
    let page = list.paging.request()?;
    context.with_parts(async |context, parts| {
        let tenant = lookup::tenant(parts, &list.tenant).await?;
        let query = ExtensionQuery {
            search: list.search,
            status: list.status,
            sort: list.sort,
            descending: list.descending,
            page,
        };
        let page = extensions::list(&parts.app, &operator::in_tenant(&tenant, None), &query).await?;
        let rows: Vec<[String; 7]> = page.items.iter().map(row).collect();
        paging::write(&mut context.output, &page.map(ExtensionView::from), |text| {
            let headings = [
                "NUMBER",
                "NAME",
                "STATUS",
                "TRANSPORT",
                "VOICEMAIL",
                "FORWARD",
                "CLASS",
            ];
            text.table(headings, &rows)
        })
    })
}

fn row(extension: &Extension) -> [String; 7] {
    let settings = &extension.settings;
    let forward = &settings.forward;
    let forwards = [
        ("always", &forward.always),
        ("busy", &forward.busy),
        ("no answer", &forward.no_answer),
    ];
    let set: Vec<String> = forwards
        .iter()
        .filter_map(|(when, to)| to.as_ref().map(|to| format!("{when} {to}")))
        .collect();
    [
        extension.number.to_string(),
        settings.name.to_string(),
        settings.status.to_string(),
        settings.transport.to_string(),
        if settings.voicemail.enabled { "yes" } else { "" }.to_owned(),
        set.join(", "),
        settings.outbound_class.to_string(),
    ]
}
