//! The platform at a glance.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::App;
use super::error::AppError;
use crate::auth::caller::Caller;
use crate::domain::audit::AuditRecord;
use crate::domain::audit_query::AuditQuery;
use crate::domain::call::Freshness;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::instance_check::CheckRecord;
use crate::domain::page::PageRequest;
use crate::domain::permission::PlatformPermission;
use crate::domain::query::{TenantQuery, TenantSort};
use crate::domain::tenant_overview::TenantOverview;
use crate::monitor::board::Figures as Known;
use crate::store::platform_figures::{self, Figures};
use crate::store::{audit, instance_checks, instances, tenant_overviews};

/// How many of the newest tenants and of the newest entries of the audit log are shown.
const RECENT: i64 = 10;

/// The platform at a glance, all of the same moment.
pub struct Dashboard {
    /// What there is in all.
    pub figures: Figures,
    /// The calls of all instances.
    pub calls: LiveFigures,
    /// Every instance, by name.
    pub instances: Vec<InstanceHealth>,
    /// The newest tenants, newest first.
    pub recent_tenants: Vec<TenantOverview>,
    /// The newest entries of the audit log, newest first.
    pub recent_audit: Vec<AuditRecord>,
}

/// How an instance is.
pub struct InstanceHealth {
    /// The instance.
    pub instance: PbxInstance,
    /// How many tenants are assigned to it.
    pub tenants: i64,
    /// What the last test of its connection found; none where it was never tested.
    pub last_check: Option<CheckRecord>,
    /// Its calls.
    pub calls: LiveFigures,
}

/// Calls in figures.
pub struct LiveFigures {
    /// How many; none where nothing was ever heard of them.
    pub total: Option<usize>,
    /// How well that is known.
    pub freshness: Freshness,
    /// Those of each tenant that is known to have any.
    pub by_tenant: BTreeMap<TenantId, (usize, Freshness)>,
}

impl LiveFigures {
    /// Of an instance, by what is known of those that this host listens to.
    fn of(instance: &PbxInstance, known: &[Known], now: Timestamp) -> Self {
        let figures = known.iter().find(|figures| figures.instance_id == instance.id);
        match (figures, &instance.settings) {
            (Some(figures), _) => Self {
                total: figures.freshness.as_of.map(|_| figures.total),
                freshness: figures.freshness,
                by_tenant: figures
                    .by_tenant
                    .iter()
                    .map(|(tenant, calls)| (*tenant, (*calls, figures.freshness)))
                    .collect(),
            },
            // Where there is no PBX there are no calls.
            (None, InstanceSettings::Asterisk(settings)) if !settings.has_pbx() => Self::none(now),
            (None, _) => Self {
                total: None,
                freshness: Freshness::UNKNOWN,
                by_tenant: BTreeMap::new(),
            },
        }
    }

    const fn none(now: Timestamp) -> Self {
        Self {
            total: Some(0),
            freshness: Freshness {
                as_of: Some(now),
                stale: false,
            },
            by_tenant: BTreeMap::new(),
        }
    }

    /// With those of another instance: what is not known of one is not known of both.
    fn and(mut self, other: &Self) -> Self {
        for (tenant, (calls, freshness)) in &other.by_tenant {
            self.by_tenant
                .entry(*tenant)
                .and_modify(|(own, known)| (*own, *known) = (*own + calls, known.and(*freshness)))
                .or_insert((*calls, *freshness));
        }
        self.total = self.total.zip(other.total).map(|(one, other)| one + other);
        self.freshness = self.freshness.and(other.freshness);
        self
    }

    /// Each tenant's, known no better than those of the PBX that is to serve it: it may have calls there that nobody heard of.
    fn doubt(&mut self, own: &BTreeMap<TenantId, InstanceId>, known: &[Known]) {
        for (tenant, (_, freshness)) in &mut self.by_tenant {
            if let Some(own) = own.get(tenant) {
                let figures = known.iter().find(|figures| figures.instance_id == *own);
                let known = figures.map_or(Freshness::UNKNOWN, |figures| figures.freshness);
                *freshness = freshness.and(known);
            }
        }
    }
}

/// Reads the platform's numbers.
pub async fn read(app: &App, caller: &Caller) -> Result<Dashboard, AppError> {
    caller.platform(PlatformPermission::Dashboard)?;
    let mut tx = app.store.read("dashboard").await?;
    let page = PageRequest::new(1, RECENT).unwrap_or_default();
    let newest = TenantQuery {
        sort: TenantSort::CreatedAt,
        descending: true,
        page,
        ..TenantQuery::default()
    };
    let log = AuditQuery {
        per_page: RECENT,
        ..AuditQuery::default()
    };
    let tenants = platform_figures::tenants_by_instance(&mut tx).await?;
    let now = app.now();
    let known = app.board.figures(now);
    let mut calls = LiveFigures::none(now);
    let mut health = Vec::new();
    for instance in instances::list(&mut tx).await? {
        let newest = instance_checks::newest(&mut tx, instance.id, 1).await?;
        let own = LiveFigures::of(&instance, &known, now);
        calls = calls.and(&own);
        health.push(InstanceHealth {
            calls: own,
            tenants: tenants.get(&instance.id).copied().unwrap_or_default(),
            last_check: newest.into_iter().next(),
            instance,
        });
    }
    if !calls.by_tenant.is_empty() {
        calls.doubt(&platform_figures::instance_of_each(&mut tx).await?, &known);
    }
    Ok(Dashboard {
        figures: platform_figures::read(&mut tx).await?,
        calls,
        instances: health,
        recent_tenants: tenant_overviews::list(&mut tx, &newest).await?.items,
        recent_audit: audit::list_all(&mut tx, None, &log).await?.entries,
    })
}
