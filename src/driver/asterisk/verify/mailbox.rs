//! Mailboxes, as `VoicemailUserStatus` shows them; it shows no PIN, so none is claimed as proven.

use super::super::rights::ActionName;
use super::super::session::Session;
use super::{described, differences};
use crate::domain::finding::Finding;
use crate::domain::revision::ExtensionConfig;
use crate::driver::{AbsentExtension, DriverError, PresentTenant};
use crate::wire::ami::Message;

pub async fn marker(session: &Session) -> Result<String, DriverError> {
    let shown = shown(session, "switchyard-marker", "0").await?;
    Ok(shown
        .and_then(|mailbox| mailbox.get("Fullname").map(str::to_owned))
        .unwrap_or_default())
}

pub async fn present(
    session: &Session,
    tenant: &PresentTenant,
    extension: &ExtensionConfig,
) -> Result<Option<Finding>, DriverError> {
    let settings = &extension.settings;
    let address = extension.address(&tenant.domain);
    let finding = |code: &str, message: String| {
        Some(
            Finding::error(code, message)
                .of_tenant(tenant.tenant_id)
                .about(format!("mailbox {}", extension.number)),
        )
    };
    let shown = shown(session, tenant.domain.as_str(), extension.number.as_str()).await?;
    Ok(match (shown, settings.voicemail.enabled) {
        (None, true) => finding("mailbox_missing", format!("Asterisk has no mailbox {address}")),
        (Some(_), false) => finding(
            "mailbox_left",
            format!("Asterisk still has the mailbox {address}"),
        ),
        (None, false) => None,
        (Some(mailbox), true) => {
            let email = settings.voicemail.email.as_ref().map_or("", AsRef::as_ref);
            let fields = mailbox
                .fields()
                .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let expected = [
                ("Fullname", settings.name.to_string()),
                ("Email", email.to_owned()),
            ];
            let wrong = differences(&fields, &expected);
            if wrong.is_empty() {
                None
            } else {
                finding(
                    "mailbox_altered",
                    format!("Asterisk's mailbox {address} differs: {}", described(&wrong)),
                )
            }
        }
    })
}

pub async fn absent(session: &Session, absent: &AbsentExtension) -> Result<Option<Finding>, DriverError> {
    let shown = shown(session, absent.domain.as_str(), absent.number.as_str()).await?;
    Ok(shown.map(|_| {
        Finding::error(
            "mailbox_left",
            format!(
                "Asterisk still has the mailbox {}@{}",
                absent.number, absent.domain
            ),
        )
        .of_tenant(absent.tenant_id)
        .about(format!("mailbox {}", absent.number))
    }))
}

async fn shown(session: &Session, context: &str, mailbox: &str) -> Result<Option<Message>, DriverError> {
    let list = session
        .list(
            ActionName::VoicemailUserStatus,
            &[("Context", context), ("Mailbox", mailbox)],
        )
        .await?;
    Ok(list.and_then(|list| {
        list.events
            .into_iter()
            .find(|event| event.event() == Some("VoicemailUserDetail"))
    }))
}
