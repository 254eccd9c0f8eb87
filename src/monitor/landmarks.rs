//! Whether a directory of recordings is the one that it was, by its landmark and by what the database says of that.

use crate::domain::ids::{IdSource, InstanceId, RecordingId};
use crate::driver::spool::{LANDMARK, Landmark, Spool};
use crate::store::{Store, StoreError, recordings};

use super::recordings::LONGEST;

/// What is known of a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is the one that it was, or an operator says so.
    Right,
    /// It was never known by anything.
    Unsure,
    /// It was, and this is another one.
    Wrong,
}

impl Standing {
    /// By what the database keeps and the directory says.
    #[must_use]
    pub fn of(kept: Option<&str>, there: Option<&Landmark>) -> Self {
        match (kept, there) {
            // Nobody else makes an empty file.
            (_, Some(there)) if there.is_operators() => Self::Right,
            (None, _) => Self::Unsure,
            (Some(kept), Some(there)) if there.is_kept(kept) => Self::Right,
            (Some(_), _) => Self::Wrong,
        }
    }
}

/// By what a PBX's directory is known again; none where it never was.
pub async fn kept(store: &Store, instance: InstanceId) -> Result<Option<String>, StoreError> {
    let mut tx = store.read("kept_landmark").await?;
    recordings::landmark(&mut tx, instance).await
}

/// Kept of a directory in which nothing of what is known was ever met: it is none that is there.
const NONE: &str = "none";

/// Has none believed until all that is known is met.
pub async fn doubt(store: &Store, instance: InstanceId) -> Result<(), StoreError> {
    let mut tx = store.begin("doubt_landmark").await?;
    recordings::set_landmark(&mut tx, instance, NONE).await?;
    tx.commit().await
}

/// Has a directory known again from here on, in which all is as it is known: by a file, where the service may make one or there is
/// one.
pub async fn adopt(
    store: &Store,
    ids: &dyn IdSource,
    instance: InstanceId,
    spool: &Spool,
    (kept, there): (Option<&str>, &Landmark),
) -> Result<(), StoreError> {
    let mut landmark = there.clone();
    if !there.is_file() || there.is_operators() {
        // Another one may have been mounted since it was looked at.
        match spool
            .make_landmark(&RecordingId::fresh(ids).to_string(), LONGEST)
            .await
        {
            Ok(made) if made.is_beside(there) => landmark = made,
            Ok(_) => return Ok(()),
            Err(error) => {
                tracing::debug!(%error, %instance, "the file {LANDMARK} cannot be written in the directory of its recordings");
            }
        }
    }
    let landmark = landmark.kept();
    if kept == Some(&landmark) {
        return Ok(());
    }
    let mut tx = store.begin("keep_landmark").await?;
    recordings::set_landmark(&mut tx, instance, &landmark).await?;
    tx.commit().await
}
