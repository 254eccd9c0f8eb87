//! What has become of files and messages of an erasure: counted once, in the transaction that forgets them.

use uuid::Uuid;

use super::work::Work;
use crate::app::error::AppError;
use crate::domain::erasure::{Erased, ErasurePlace};
use crate::domain::ids::{RecordingId, VoicemailId};
use crate::store::erasure_targets::Target;
use crate::store::{erasure_targets, recordings, voicemail};

/// What has become of one.
pub(super) enum Fate {
    /// It is gone by this erasure, with so many bytes.
    Gone(i64),
    /// It is gone, and not by this erasure.
    Forgotten,
    /// It stays, for this reason.
    Kept(&'static str),
}

impl Fate {
    /// Of one that is not on record any more: whoever looks for them may have come before whoever counts what was removed here.
    pub(super) fn of_unknown(target: &Target, place: &str) -> Self {
        match &target.begun_at {
            Some(begun_at) if begun_at == place => Self::Gone(0),
            _ => Self::Forgotten,
        }
    }
}

/// Counts what has gone, and forgets it; gives whether nothing is left to do.
pub(super) async fn count(work: &Work<'_>, fates: Vec<(Uuid, Fate)>) -> Result<bool, AppError> {
    let Some(mut open) = work.open().await? else {
        return Ok(true);
    };
    let (tx, tenant, of) = (&mut open.tx, work.erasure.tenant_id, work.of());
    let mut erased = Erased::default();
    for (id, fate) in fates {
        match fate {
            Fate::Gone(bytes) => {
                match work.part.place {
                    ErasurePlace::Recordings => {
                        recordings::delete(tx, tenant, RecordingId::from_uuid(id)).await?;
                    }
                    _ => {
                        voicemail::delete(tx, tenant, VoicemailId::from_uuid(id)).await?;
                    }
                }
                erasure_targets::done(tx, of, id).await?;
                erased.erased += 1;
                erased.bytes += bytes;
            }
            Fate::Forgotten => erasure_targets::done(tx, of, id).await?,
            Fate::Kept(why) => {
                erasure_targets::keep(tx, of, id).await?;
                erased.kept += 1;
                erased.detail = Some(why.to_owned());
            }
        }
    }
    work.close(open, erased).await
}
