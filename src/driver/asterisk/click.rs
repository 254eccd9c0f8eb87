//! Calling for somebody, their own phone first, then whom they want, by the dialplan of their tenant; and ending a call.

use thiserror::Error;

use super::rights::ActionName;
use super::session::Session;
use crate::domain::dial::DialNumber;
use crate::domain::leg::{Endpoint, LegId};
use crate::driver::DriverError;
use crate::wire::ami;

/// Milliseconds that the own phone rings.
const RINGING: &str = "30000";

/// Of Q.850.
const NORMAL_CLEARING: &str = "16";

/// There is nothing to ring.
#[derive(Debug, Error)]
#[error("no phone is signed in as {number}")]
struct NoPhone {
    number: String,
}

/// Rings a phone, and once it is answered has it call a number as if that had been dialled on it.
///
/// What Asterisk is told are a parsed number and domain: nothing of it is an application, its data, or a variable.
pub async fn call(session: &Session, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
    let endpoint = format!("{}@{}", from.number, from.domain);
    let contacts = session
        .variable(&format!("PJSIP_AOR({endpoint},contact)"))
        .await?;
    if contacts.is_empty() {
        return Err(DriverError::Refused {
            what: "a call".to_owned(),
            source: NoPhone {
                number: from.number.to_string(),
            }
            .into(),
        });
    }
    let headers = headers(&endpoint, from, to);
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    session.ask(ActionName::Originate, &headers).await.map(drop)
}

fn headers(endpoint: &str, from: &Endpoint, to: &DialNumber) -> [(&'static str, String); 6] {
    [
        ("Channel", format!("PJSIP/{endpoint}")),
        ("Context", from.domain.to_string()),
        ("Exten", to.to_string()),
        ("Priority", "1".to_owned()),
        ("Timeout", RINGING.to_owned()),
        // It answers at once; whether the phone is answered shows by what comes of the call.
        ("Async", "true".to_owned()),
    ]
}

/// Ends legs, which Asterisk knows by their ids as by their names.
pub async fn hang_up(session: &Session, legs: &[LegId]) -> Result<(), DriverError> {
    for leg in legs {
        let headers = [("Channel", leg.as_str()), ("Cause", NORMAL_CLEARING)];
        match session.ask(ActionName::Hangup, &headers).await {
            Ok(_) => {}
            // It has ended by itself meanwhile, most often with its other half.
            Err(DriverError::Refused { source, .. }) if is_gone(source.as_ref()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether Asterisk does not know the channel (measured), and not that the account may not end it.
fn is_gone(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(
        source.downcast_ref::<ami::Error>(),
        Some(ami::Error::Refused { message, .. }) if message.starts_with("No such channel")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a48_a_call_is_made_by_the_dialplan_and_names_no_application_and_no_data() {
        let from = Endpoint {
            number: "1001".parse().unwrap(),
            domain: "acme.example.com".parse().unwrap(),
        };
        let asked = headers("1001@acme.example.com", &from, &"0301234".parse().unwrap());
        let asked = asked.each_ref().map(|(name, value)| (*name, value.as_str()));
        let expected = [
            ("Channel", "PJSIP/1001@acme.example.com"),
            ("Context", "acme.example.com"),
            ("Exten", "0301234"),
            ("Priority", "1"),
            ("Timeout", "30000"),
            ("Async", "true"),
        ];
        assert_eq!(asked, expected);
    }

    #[test]
    fn a48_a_leg_that_asterisk_does_not_know_has_ended_and_one_that_may_not_be_ended_has_not() {
        let refused = |message: &str| ami::Error::Refused {
            action: "Hangup".to_owned(),
            message: message.to_owned(),
        };
        assert!(is_gone(&refused("No such channel")));
        assert!(!is_gone(&refused("Permission denied")));
        let another = NoPhone {
            number: "1001".to_owned(),
        };
        assert!(!is_gone(&another));
    }
}
