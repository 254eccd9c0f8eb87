//! Samples that every mail's template must render: with everything, with as little as there can be, and with the worst
//! names that the types let through.

use jiff::Timestamp;
use secrecy::SecretString;

use crate::domain::invalid::Invalid;
use crate::domain::mail::{
    Invitation, Line, Mail, Page, PasswordChanged, PasswordReset, PublicUrl, Recipient,
};

const WORST: &str = "Zoë \"The Doc\" <script>alert('1')</script> & {{ link }} =?utf-8?q?x?= Søn";

/// The samples; none is missing unless this file itself is wrong, which a test would show.
#[must_use]
pub fn samples() -> Vec<Mail> {
    [("Ann", "Acme Inc."), (WORST, WORST)]
        .into_iter()
        .filter_map(|(person, tenant)| of(person, tenant).ok())
        .flatten()
        .collect()
}

fn of(person: &str, tenant: &str) -> Result<Vec<Mail>, Invalid> {
    let name: Line = person.parse()?;
    let to = Recipient {
        address: "ann@example.com".parse()?,
        name: name.clone(),
    };
    let url: PublicUrl = "https://pbx.example.com".parse()?;
    let token = SecretString::from("SampleTokenSampleToken");
    let invitation = Invitation {
        to: to.clone(),
        tenant: Some(tenant.parse()?),
        inviter: Some(name.clone()),
        link: url.link(Page::Invitation, &token)?,
        expires_at: Timestamp::UNIX_EPOCH,
    };
    let changed = PasswordChanged {
        to: to.clone(),
        changed_at: Timestamp::UNIX_EPOCH,
        by: Some(name),
    };
    Ok(vec![
        Mail::Invitation(Invitation {
            tenant: None,
            inviter: None,
            ..invitation.clone()
        }),
        Mail::Invitation(invitation),
        Mail::PasswordReset(PasswordReset {
            to,
            link: url.link(Page::PasswordReset, &token)?,
            expires_at: Timestamp::UNIX_EPOCH,
        }),
        Mail::PasswordChanged(PasswordChanged {
            by: None,
            ..changed.clone()
        }),
        Mail::PasswordChanged(changed),
    ])
}
