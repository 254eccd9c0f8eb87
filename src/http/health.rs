//! `/healthz` says that the process answers, `/readyz` whether it can do its work.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{Either, NotReady};
use super::envelope::{Single, single};

/// One thing that the daemon needs for its work.
#[derive(Serialize, JsonSchema, Debug)]
pub struct Check {
    /// Such as `database`.
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
}

/// Looks after what the daemon needs.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Every need; it answers soon, even when a need does not.
    async fn checks(&self) -> Vec<Check>;
}

/// `{"status":"ok"}`.
#[derive(Serialize, JsonSchema, Debug)]
pub struct Health {
    status: &'static str,
}

/// `{"ready","checks":[{"name","ok"}]}`: names only, since everybody may ask.
#[derive(Serialize, JsonSchema, Debug)]
pub struct Ready {
    ready: bool,
    checks: Vec<Check>,
}

/// Always 200.
pub async fn live() -> Single<Health> {
    single(Health { status: "ok" })
}

/// 200 when every need is met, otherwise 503.
pub async fn ready(
    State(readiness): State<Arc<dyn Readiness>>,
) -> Either<Single<Ready>, NotReady<Single<Ready>>> {
    let checks = readiness.checks().await;
    let ready = checks.iter().all(|check| check.ok);
    let answer = single(Ready { ready, checks });
    if ready {
        Either::This(answer)
    } else {
        Either::That(NotReady(answer))
    }
}
