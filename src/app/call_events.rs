//! Tells webhooks of calls as they begin and are answered: what happens while nobody listens is not told.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::AppError;
use crate::domain::call::{Call, CallState};
use crate::domain::error_chain::error_chain;
use crate::domain::event::{About, Event, call_data};
use crate::domain::ids::{EventId, TenantId};
use crate::domain::webhook::EventKind;
use crate::monitor::board::CallNews;
use crate::store::webhook_queue;

/// How old what is known of webhooks may be.
const FRESH: Duration = Duration::from_secs(2);
/// So much is told in one transaction.
const BATCH: usize = 100;

/// Tells until the soft stop.
pub async fn run(app: App, stop: CancellationToken) -> Result<(), Infallible> {
    let mut calls = app.board.calls();
    let mut wanting = Wanting::default();
    loop {
        let first = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            first = calls.recv() => first,
        };
        let mut news = Vec::new();
        match first {
            Ok(first) => news.push(first),
            Err(RecvError::Lagged(lost)) => missed(lost),
            Err(RecvError::Closed) => return Ok(()),
        }
        while news.len() < BATCH {
            match calls.try_recv() {
                Ok(more) => news.push(more),
                Err(TryRecvError::Lagged(lost)) => missed(lost),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if let Err(error) = tell(&app, &mut wanting, &news).await {
            let (lost, error) = (news.len(), error_chain(&error));
            tracing::warn!(lost, error, "webhooks are not told of calls");
        }
    }
}

fn missed(lost: u64) {
    tracing::warn!(lost, "webhooks are not told of calls: there are too many at once");
}

/// The tenants that have a webhook for it.
#[derive(Default)]
struct Wanting {
    tenants: BTreeSet<TenantId>,
    read_at: Option<Instant>,
}

impl Wanting {
    async fn renew(&mut self, app: &App) -> Result<(), AppError> {
        if self.read_at.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let mut tx = app.store.read_once("webhooks_for_calls").await?;
        let kinds = [EventKind::CallBegan, EventKind::CallAnswered];
        self.tenants = webhook_queue::wanting(&mut tx, &kinds).await?;
        self.read_at = Some(Instant::now());
        Ok(())
    }
}

async fn tell(app: &App, wanting: &mut Wanting, news: &[CallNews]) -> Result<(), AppError> {
    wanting.renew(app).await?;
    let events: Vec<Event> = news
        .iter()
        .flat_map(|news| events(app, &wanting.tenants, news))
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    let mut tx = app.store.begin("tell_of_calls").await?;
    tx.tell(events);
    Ok(tx.commit().await?)
}

fn events(app: &App, wanting: &BTreeSet<TenantId>, (before, now): &CallNews) -> Vec<Event> {
    let of_tenant = now.as_ref().and_then(|call| Some((call, call.tenant_id?)));
    let Some((call, tenant)) = of_tenant.filter(|(_, tenant)| wanting.contains(tenant)) else {
        return Vec::new();
    };
    // One that has become another tenant's begins for that one.
    let before = before.as_ref().filter(|before| before.tenant_id == Some(tenant));
    let is_answered = |call: &Arc<Call>| call.state == CallState::Answered;
    let began = before.is_none().then_some(EventKind::CallBegan);
    let answered = is_answered(call) && !before.is_some_and(is_answered);
    let answered = answered.then_some(EventKind::CallAnswered);
    let event = |kind| Event {
        // The same when it is told again, as after a restart.
        id: EventId::once(call.id.uuid(), kind),
        kind,
        tenant,
        at: app.now(),
        about: About::Told(call_data(call)),
    };
    began.into_iter().chain(answered).map(event).collect()
}
