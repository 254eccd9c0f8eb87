//! What a tenant sets for itself: the columns of its row that its own people change.

use jiff::Timestamp;

use super::row::name_key;
use super::statement::{run, statements};
use super::{StoreError, Tx, tenants};
use crate::domain::ids::TenantId;
use crate::domain::recording_notice::SoundName;
use crate::domain::tenant::TenantSettings;

statements! {
    UPDATE = "update tenants set name = $2, name_key = $3, timezone = $4, recording = $5, \
        recording_notice = $6, recording_notice_sound = $7, session_timeout_minutes = $8, updated_at = $9 where id = $1";
}

/// Replaces what was there `before`; false when there is no such tenant.
pub async fn update(
    tx: &mut Tx,
    id: TenantId,
    before: &TenantSettings,
    after: &TenantSettings,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let updated = run!(
        tx,
        execute(
            UPDATE,
            id.uuid(),
            after.name.as_str(),
            name_key(after.name.as_str()),
            after.timezone.as_str(),
            after.recording.as_str(),
            after.notice.hearers.as_str(),
            after.notice.sound.as_ref().map(SoundName::as_str),
            after.session_timeout_minutes.minutes(),
            now.as_microsecond(),
        )
    )?;
    // What a revision holds too.
    let is_as_before = before.name == after.name
        && before.timezone == after.timezone
        && before.recording == after.recording
        && before.notice == after.notice;
    if !is_as_before {
        tenants::forget_head_revision(tx, id).await?;
    }
    Ok(updated == 1)
}
