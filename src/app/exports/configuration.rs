//! Of an export, what is set: the tenant, its extensions and webhooks, and what was deployed, removed and is kept.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::archive::Cut;
use super::making::Making;
use crate::app::own_tenant;
use crate::app::views::{DeploymentView, ErasureView, ExtensionView, OwnTenantView, PurgeView};
use crate::domain::digest::Digest;
use crate::domain::export::ExportKind;
use crate::domain::ids::{RevisionId, WebhookId};
use crate::domain::sip_domain::SipDomain;
use crate::domain::webhook::{EventKind, Webhook};
use crate::store::{self, erasures, exports, purges, retention, stages, webhooks};

/// Extensions, or deployments, that are read at once.
const PAGE: i64 = 500;
const FEW: i64 = 50;

#[derive(Serialize)]
struct AliasRow {
    domain: SipDomain,
    /// When it leads to the tenant no more; null where that is not settled yet.
    expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct RevisionRow {
    id: RevisionId,
    number: i64,
    digest: Digest,
    created_at: Timestamp,
    /// As it is stored.
    config: Box<RawValue>,
}

/// A webhook without the path of its address, which may hold a secret: as the audit log has it.
#[derive(Serialize)]
struct WebhookRow {
    id: WebhookId,
    /// Scheme, host and port of the address.
    origin: String,
    /// Of the whole address.
    url_digest: String,
    events: BTreeSet<EventKind>,
    active: bool,
    note: Option<String>,
    pending: i64,
    dropped: i64,
    failing_since: Option<Timestamp>,
    next_attempt_at: Option<Timestamp>,
    last_delivered_at: Option<Timestamp>,
    last_failed_at: Option<Timestamp>,
    last_error: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Webhook> for WebhookRow {
    fn from(webhook: Webhook) -> Self {
        let standing = webhook.standing;
        Self {
            id: webhook.id,
            origin: webhook.url.origin(),
            url_digest: webhook.url.digest(),
            events: webhook.events,
            active: webhook.is_active,
            note: webhook.note,
            pending: standing.pending,
            dropped: standing.dropped,
            failing_since: standing.failing_since,
            next_attempt_at: standing.next_attempt_at,
            last_delivered_at: standing.last_delivered_at,
            last_failed_at: standing.last_failed_at,
            last_error: standing.last_error,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// The tenant itself.
pub(super) async fn tenant(making: &mut Making<'_>) -> Result<(), Cut> {
    let tenant = making.job.tenant;
    let mut tx = making.read("export_settings").await?;
    let own = own_tenant::own(&mut tx, tenant).await?;
    let policy = retention::find(&mut tx, tenant).await?;
    let aliases = exports::aliases(&mut tx, tenant).await?;
    drop(tx);
    let archive = &mut making.archive;
    archive
        .row(ExportKind::Settings, &OwnTenantView::from(own))
        .await?;
    archive.row(ExportKind::Retention, &policy).await?;
    archive.name_kind(ExportKind::DomainAliases);
    for (domain, expires_at) in aliases {
        archive
            .row(ExportKind::DomainAliases, &AliasRow { domain, expires_at })
            .await?;
    }
    Ok(())
}

/// All extensions.
pub(super) async fn extensions(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Extensions);
    let tenant = making.job.tenant;
    let mut after = String::new();
    loop {
        let mut tx = making.read("export_extensions").await?;
        let keys = exports::extensions(&mut tx, tenant, &after, PAGE).await?;
        let Some((_, last)) = keys.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let mut page = Vec::with_capacity(keys.len());
        for (id, _) in keys {
            page.push(store::extensions::find(&mut tx, tenant, id).await?);
        }
        drop(tx);
        for extension in page {
            let row = extension.map(ExtensionView::from);
            making.found(ExportKind::Extensions, row.as_ref()).await?;
        }
    }
}

/// All webhooks: there are few.
pub(super) async fn webhooks(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Webhooks);
    let mut tx = making.read("export_webhooks").await?;
    let all = webhooks::list(&mut tx, making.job.tenant).await?;
    drop(tx);
    for webhook in all {
        making
            .archive
            .row(ExportKind::Webhooks, &WebhookRow::from(webhook))
            .await?;
    }
    Ok(())
}

/// All deployments of the tenant, newest first.
pub(super) async fn deployments(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Deployments);
    let tenant = making.job.tenant;
    let mut after = None;
    loop {
        let mut tx = making.read("export_deployments").await?;
        let keys = exports::deployments(&mut tx, tenant, after, FEW).await?;
        let Some((_, last)) = keys.last() else {
            return Ok(());
        };
        after = Some(*last);
        let mut page = Vec::with_capacity(keys.len());
        for (id, _) in keys {
            let found = store::deployments::find_of_tenant(&mut tx, tenant, id).await?;
            page.push((found, stages::of_deployment(&mut tx, id).await?));
        }
        drop(tx);
        for (found, stages) in page {
            let row = found.map(|found| DeploymentView::new(found, stages));
            making.found(ExportKind::Deployments, row.as_ref()).await?;
        }
    }
}

/// What is kept of what was deployed, newest first, each revision by itself: it may be as large as all of the configuration.
pub(super) async fn revisions(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Revisions);
    let mut before = None;
    loop {
        let mut tx = making.read("export_revision").await?;
        let revision = exports::revision(&mut tx, making.job.tenant, before).await?;
        drop(tx);
        let Some(revision) = revision else {
            return Ok(());
        };
        before = Some(revision.number);
        let row = RevisionRow {
            id: revision.id,
            number: revision.number,
            digest: revision.digest,
            created_at: revision.created_at,
            config: revision.config,
        };
        making.archive.row(ExportKind::Revisions, &row).await?;
    }
}

/// All erasures of persons, with what became of them.
pub(super) async fn erasures(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Erasures);
    let tenant = making.job.tenant;
    let mut tx = making.read("export_erasures").await?;
    let ids = exports::erasures(&mut tx, tenant).await?;
    drop(tx);
    for id in ids {
        let mut tx = making.read("export_erasure").await?;
        let row = erasures::find(&mut tx, tenant, id).await?.map(ErasureView::from);
        drop(tx);
        making.found(ExportKind::Erasures, row.as_ref()).await?;
    }
    Ok(())
}

/// All reports of purges: few hundred of them are kept.
pub(super) async fn purges(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Purges);
    let tenant = making.job.tenant;
    let mut tx = making.read("export_purges").await?;
    let ids = exports::purges(&mut tx, tenant).await?;
    drop(tx);
    for id in ids {
        let mut tx = making.read("export_purge").await?;
        let row = purges::find(&mut tx, tenant, id).await?.map(PurgeView::from);
        drop(tx);
        making.found(ExportKind::Purges, row.as_ref()).await?;
    }
    Ok(())
}
