//! An extension that stands on a PBX as one of ours: what of it cannot be taken over is noted, and what it cannot do without
//! is an error.

use tokio::task::spawn_blocking;

use crate::deploy::DeployError;
use crate::domain::extension_input::{ExtensionInput, ParsedExtension};
use crate::domain::found::{FoundExtension, FoundSecret};
use crate::domain::instance::PbxKind;
use crate::domain::invalid::FieldErrors;
use crate::domain::secret::{Ha1, SipSecret, VoicemailPin};
use crate::domain::sip_credential::{Realm, SipCredential};
use crate::domain::sip_domain::SipDomain;

/// Fields that an extension can do without. One that does not fit is left out.
const DISPENSABLE: [&str; 6] = [
    "caller_id.name",
    "caller_id.number",
    "forward.always",
    "forward.busy",
    "forward.no_answer",
    "voicemail.email",
];

/// What became of one that was looked at.
pub(super) struct Looked {
    pub place: String,
    pub number: Option<String>,
    pub parsed: Result<ParsedExtension, FieldErrors>,
    pub notes: Vec<String>,
}

/// Looks at all of them off the async threads, and before anybody waits for the database.
pub(super) async fn look(
    found: Vec<FoundExtension>,
    domain: SipDomain,
    kind: PbxKind,
) -> Result<Vec<Looked>, DeployError> {
    let looked = move |extension: FoundExtension| {
        let (place, number) = (extension.place.clone(), extension.input.number.clone());
        let (parsed, notes) = parse(extension, &domain, kind);
        Looked {
            place,
            number,
            parsed,
            notes,
        }
    };
    Ok(spawn_blocking(move || found.into_iter().map(looked).collect()).await?)
}

/// What becomes of it in a tenant of that domain on a PBX of that kind, with what is to be known of it.
fn parse(
    found: FoundExtension,
    domain: &SipDomain,
    kind: PbxKind,
) -> (Result<ParsedExtension, FieldErrors>, Vec<String>) {
    let mut notes = found.notes;
    let parsed = settings(found.input, &mut notes).and_then(|mut parsed| {
        parsed.secret = credential(found.secret, &parsed, domain, kind, &mut notes)?;
        match found.pin {
            Some(pin) => {
                parsed.pin = VoicemailPin::parse(pin).ok();
                if parsed.pin.is_none() {
                    notes.push("its mailbox's PIN is not 4 to 10 digits: it gets a new one".to_owned());
                }
            }
            None if parsed.settings.voicemail.enabled => {
                notes.push("its mailbox has no PIN: it gets one".to_owned());
            }
            None => {}
        }
        Ok(parsed)
    });
    (parsed, notes)
}

fn settings(mut input: ExtensionInput, notes: &mut Vec<String>) -> Result<ParsedExtension, FieldErrors> {
    let Err(errors) = input.clone().parse() else {
        return input.parse();
    };
    let dispensable = |(field, _): &(&str, &[String])| DISPENSABLE.contains(field);
    for (field, reasons) in errors.iter().filter(dispensable) {
        notes.push(format!("{field} is left out: it {}", reasons.join(", ")));
        leave_out(&mut input, field);
    }
    input.parse()
}

fn leave_out(input: &mut ExtensionInput, field: &str) {
    let slot = match field {
        "caller_id.name" => input.caller_id.as_mut().map(|caller_id| &mut caller_id.name),
        "caller_id.number" => input.caller_id.as_mut().map(|caller_id| &mut caller_id.number),
        "forward.always" => input.forward.as_mut().map(|forward| &mut forward.always),
        "forward.busy" => input.forward.as_mut().map(|forward| &mut forward.busy),
        "forward.no_answer" => input.forward.as_mut().map(|forward| &mut forward.no_answer),
        _ => input.voicemail.as_mut().map(|voicemail| &mut voicemail.email),
    };
    if let Some(slot) = slot {
        *slot = None;
    }
}

/// What its phones go on signing in with; `None` where they need a new secret.
fn credential(
    secret: FoundSecret,
    parsed: &ParsedExtension,
    domain: &SipDomain,
    kind: PbxKind,
    notes: &mut Vec<String>,
) -> Result<Option<SipCredential>, FieldErrors> {
    let mut renewed = |reason: &str| {
        notes.push(format!("it gets a new secret, which its phones need: {reason}"));
        Ok(None)
    };
    let (realm, ha1) = match secret {
        FoundSecret::Lost(reason) => {
            return Err(FieldErrors::one(
                "secret",
                format!("is nowhere to be found: {reason}"),
            ));
        }
        FoundSecret::None(reason) => return renewed(&reason),
        FoundSecret::Password(password) => match SipSecret::parse(password.clone()) {
            Ok(secret) => return Ok(Some(SipCredential::Password(secret))),
            Err(_) => (
                Realm::from(domain),
                Ha1::of(&parsed.number, domain.as_str(), &password),
            ),
        },
        FoundSecret::Digest { realm, ha1 } => match (realm.parse::<Realm>(), Ha1::parse(&ha1)) {
            (Ok(realm), Ok(ha1)) if kind == PbxKind::Asterisk || realm == Realm::from(domain) => (realm, ha1),
            (Ok(_), Ok(_)) => return renewed("its digest is made for another realm than its domain"),
            _ => {
                return renewed(
                    "its digest is none of MD5, or its realm has characters that no realm of ours may have",
                );
            }
        },
    };
    notes.push(
        "only the digest of its password is kept: its phones keep their password, and whoever wants to know the secret rotates it"
            .to_owned(),
    );
    Ok(Some(SipCredential::Digest { realm, ha1 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::extension_input::{CallerIdInput, VoicemailInput};

    fn found(secret: FoundSecret) -> FoundExtension {
        FoundExtension {
            place: "pjsip.conf:1".to_owned(),
            input: ExtensionInput {
                number: Some("1001".to_owned()),
                name: Some("Ann".to_owned()),
                ..ExtensionInput::default()
            },
            secret,
            pin: None,
            notes: Vec::new(),
        }
    }

    fn domain() -> SipDomain {
        "acme.example.com".parse().unwrap()
    }

    fn credential_of(secret: FoundSecret, kind: PbxKind) -> (Option<SipCredential>, String) {
        let (parsed, notes) = parse(found(secret), &domain(), kind);
        (parsed.ok().unwrap().secret, notes.join("; "))
    }

    fn digest(realm: &str) -> FoundSecret {
        FoundSecret::Digest {
            realm: realm.to_owned(),
            ha1: "6581963F7E7C44B15A0E3DC3B2CE6BC7".to_owned().into(),
        }
    }

    #[test]
    fn c18_a_password_of_our_form_is_kept_and_known() {
        let password = FoundSecret::Password("CircleOfLife".to_owned().into());
        let (kept, notes) = credential_of(password, PbxKind::FusionPbx);
        assert_eq!(kept.unwrap().password().unwrap().expose(), "CircleOfLife");
        assert_eq!(notes, "");
    }

    #[test]
    fn c18_of_another_password_only_the_digest_is_kept_so_that_the_phone_signs_in_as_before() {
        let password = FoundSecret::Password("p w\"d".to_owned().into());
        let (kept, notes) = credential_of(password, PbxKind::FusionPbx);
        let kept = kept.unwrap();
        assert!(kept.password().is_none());
        // printf %s '1001:acme.example.com:p w"d' | md5sum
        let ha1 = kept.ha1(&"1001".parse().unwrap(), &domain());
        assert_eq!(ha1.expose(), "57cc4cf94003e21a6299c888f16c1978");
        assert!(notes.contains("rotates it") && !notes.contains("p w"), "{notes}");
    }

    #[test]
    fn c18_a_digest_is_kept_where_the_pbx_serves_its_realm() {
        let (kept, notes) = credential_of(digest("asterisk"), PbxKind::Asterisk);
        assert_eq!(kept.unwrap().realm(&domain()).as_str(), "asterisk");
        assert!(notes.contains("rotates it"), "{notes}");
        assert!(
            credential_of(digest("acme.example.com"), PbxKind::FusionPbx)
                .0
                .is_some()
        );
        let (renewed, notes) = credential_of(digest("asterisk"), PbxKind::FusionPbx);
        assert!(renewed.is_none() && notes.contains("another realm"), "{notes}");
        let (renewed, notes) = credential_of(digest("my pbx"), PbxKind::Asterisk);
        assert!(renewed.is_none() && notes.contains("new secret"), "{notes}");
    }

    #[test]
    fn c18_a_secret_that_is_lost_makes_the_extension_wrong() {
        let (parsed, notes) = parse(
            found(FoundSecret::Lost("why".to_owned())),
            &domain(),
            PbxKind::Asterisk,
        );
        assert_eq!(
            parsed.err().unwrap().to_string(),
            "secret is nowhere to be found: why"
        );
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn c18_what_an_extension_can_do_without_is_left_out_and_the_rest_is_an_error() {
        let mut one = found(FoundSecret::None("why".to_owned()));
        one.input.caller_id = Some(CallerIdInput {
            name: None,
            number: Some("anonymous".to_owned()),
        });
        one.input.voicemail = Some(VoicemailInput {
            enabled: Some(true),
            pin: None,
            email: Some("nobody".to_owned()),
        });
        one.pin = Some("1".to_owned().into());
        let (parsed, notes) = parse(one, &domain(), PbxKind::Asterisk);
        let parsed = parsed.ok().unwrap();
        assert!(parsed.settings.voicemail.enabled && parsed.settings.caller_id.number.is_none());
        let fields: Vec<&str> = notes.iter().filter_map(|note| note.split(' ').next()).collect();
        assert_eq!(fields, ["caller_id.number", "voicemail.email", "it", "its"]);
        let mut one = found(FoundSecret::None("why".to_owned()));
        one.input.voicemail = Some(VoicemailInput {
            enabled: Some(true),
            ..VoicemailInput::default()
        });
        let (parsed, notes) = parse(one, &domain(), PbxKind::Asterisk);
        assert!(parsed.ok().unwrap().pin.is_none());
        assert!(notes.iter().any(|note| note.contains("has no PIN")), "{notes:?}");

        let mut other = found(FoundSecret::None("why".to_owned()));
        other.input.number = Some("reception".to_owned());
        let (parsed, _) = parse(other, &domain(), PbxKind::Asterisk);
        let errors = parsed.err().unwrap();
        assert_eq!(
            errors.iter().map(|(field, _)| field).collect::<Vec<_>>(),
            ["number"]
        );
    }
}
