//! Messages in mail boxes: looked at on the PBX that holds them, by the host that drives it.

use super::App;
use super::error::AppError;
use crate::domain::ids::{InstanceId, TenantId};
use crate::driver::mail::MailError;
use crate::monitor::voicemail::{self as monitor, LookError, Looked};

/// Brings what is known of the messages on a PBX in line with what lies there: of all tenants, or of one. On a PBX whose mail
/// boxes are not looked after there is nothing to look at.
pub async fn look(app: &App, instance: InstanceId, tenant: Option<TenantId>) -> Result<Looked, AppError> {
    let (_, driver) = app.engine.driver(instance).await?;
    let mail = match driver.mail() {
        Err(MailError::NotServed(_)) => return Ok(Looked::default()),
        mail => mail.map_err(AppError::Voicemail)?,
    };
    let looked = monitor::look(&app.store, app.ids.as_ref(), instance, mail.as_ref(), tenant).await;
    looked.map_err(|error| match error {
        LookError::Mail(error) => AppError::Voicemail(error),
        LookError::Store(error) => error.into(),
    })
}
