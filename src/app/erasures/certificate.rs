//! The certificate of an erasure that has ended, and what the audit log keeps of it.

use serde_json::{Value, json};

use super::RIGHT;
use crate::app::App;
use crate::app::audit::Changed;
use crate::app::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::audit::CERTIFIED;
use crate::domain::digest::Digest;
use crate::domain::erasure::{Erasure, ErasureStatus};
use crate::domain::ids::ErasureId;
use crate::store::{erasure_ends, erasures};

/// One that has ended, and of which the audit log says how: only such a one is certified.
pub async fn certificate(app: &App, caller: &Caller, id: ErasureId) -> Result<Erasure, AppError> {
    let tenant = caller.tenant(RIGHT, Act::Read)?;
    let mut tx = app.store.read("erasure_certificate").await?;
    let erasure = erasures::find(&mut tx, tenant, id).await?;
    let erasure = erasure.ok_or(AppError::NotFound)?;
    match erasure.status {
        ErasureStatus::Done | ErasureStatus::Partial => {}
        ErasureStatus::Open => {
            let message = "it was not run: nothing is erased so far";
            return Err(AppError::conflict("not_run", message));
        }
        ErasureStatus::Running => {
            let message = "it runs; ask again once it has ended";
            return Err(AppError::conflict("running", message));
        }
    }
    if erasure_ends::certified(&mut tx, tenant, id).await? {
        return Ok(erasure);
    }
    // Nobody could hold it against the log.
    let message = "the audit log says nothing of what it did, which could not be read when it was given up; run it again, or ask for \
                   another erasure";
    Err(AppError::conflict("not_certified", message))
}

/// Names all that the certificate of an erasure which has ended says: the audit log keeps it.
#[must_use]
pub fn digest(erasure: &Erasure) -> Digest {
    let said = json!({
        "id": erasure.id,
        "tenant_id": erasure.tenant_id,
        "subject": erasure.subject.for_good(),
        "call_records": erasure.call_records,
        "requested_at": erasure.requested_at,
        "run_at": erasure.run_at,
        "ended_at": erasure.ended_at,
        "status": erasure.outcome(),
        "parts": told(erasure),
    });
    Digest::of(said.to_string())
}

/// What became of each part, as it is told to others.
fn told(erasure: &Erasure) -> Vec<Value> {
    let parts = erasure.parts.iter().map(|part| {
        json!({
            "place": part.place, "instance_id": part.instance_id, "found": part.found, "erased": part.erased,
            "bytes": part.bytes, "kept": part.kept, "detail": part.detail, "ended_at": part.ended_at,
        })
    });
    parts.collect()
}

/// Keeps what the certificate says: nobody changes that afterwards without being found out.
pub(super) fn ended(erasure: &Erasure) -> Changed {
    Changed {
        action: CERTIFIED,
        resource: "erasure",
        target: erasure.id.to_string(),
        tenant_id: Some(erasure.tenant_id),
        before: None,
        after: Some(json!({
            "status": erasure.outcome(),
            "certificate": digest(erasure),
            "parts": told(erasure),
        })),
    }
}
