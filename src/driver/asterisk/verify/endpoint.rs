//! Endpoints, auths and AORs, as `PJSIPShowEndpoint` shows them.

use std::collections::BTreeMap;

use super::super::rights::ActionName;
use super::super::session::Session;
use super::{Difference, described, differences};
use crate::domain::extension::Transport;
use crate::domain::finding::Finding;
use crate::domain::revision::ExtensionConfig;
use crate::domain::sip_credential::SignIn;
use crate::driver::{AbsentExtension, DriverError, PresentTenant};
use crate::wire::ami::Message;

/// `PJSIPShowEndpoint` shows a caller id in as many bytes as name and number have unescaped, and these for blank,
/// quotes and brackets: each quote or backslash in the name beyond five costs a byte at the end (measured).
const CALLER_ID_FRAME: usize = 10;

pub async fn present(
    session: &Session,
    tenant: &PresentTenant,
    extension: &ExtensionConfig,
) -> Result<Option<Finding>, DriverError> {
    let address = extension.address(&tenant.domain);
    let finding = |code: &str, message: String| {
        Finding::error(code, message)
            .of_tenant(tenant.tenant_id)
            .about(format!("extension {}", extension.number))
    };
    let Some(list) = session
        .list(ActionName::PjsipShowEndpoint, &[("Endpoint", &address)])
        .await?
    else {
        return Ok(Some(finding(
            "endpoint_missing",
            format!("Asterisk serves no endpoint {address}"),
        )));
    };
    let mut wrong = Vec::new();
    for (event, expected) in [
        ("EndpointDetail", expected_endpoint(tenant, extension)),
        ("AuthDetail", expected_auth(tenant, extension)),
        ("AorDetail", expected_aor(tenant, extension)),
    ] {
        let shown: Vec<_> = list
            .events
            .iter()
            .filter(|message| message.event() == Some(event))
            .collect();
        match shown.as_slice() {
            [only] => {
                wrong.extend(differences(&fields(only), &expected));
                if event == "AuthDetail" && !signs_in(only, tenant.sign_ins.get(&extension.id)) {
                    wrong.push(Difference {
                        field: "PasswordDigest",
                        expected: "(the extension's)".to_owned(),
                        found: "(another)".to_owned(),
                    });
                }
            }
            others => {
                let message = format!(
                    "Asterisk shows {} {event} of {address} instead of one",
                    others.len()
                );
                return Ok(Some(finding("endpoint_altered", message)));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(None);
    }
    Ok(Some(finding(
        "endpoint_altered",
        format!("Asterisk serves {address} otherwise: {}", described(&wrong)),
    )))
}

pub async fn absent(session: &Session, absent: &AbsentExtension) -> Result<Option<Finding>, DriverError> {
    let address = format!("{}@{}", absent.number, absent.domain);
    let shown = session
        .list(ActionName::PjsipShowEndpoint, &[("Endpoint", &address)])
        .await?;
    Ok(shown.map(|_| {
        Finding::error(
            "endpoint_left",
            format!("Asterisk still serves the endpoint {address}"),
        )
        .of_tenant(absent.tenant_id)
        .about(format!("extension {}", absent.number))
    }))
}

/// Whether the digest that the PBX checks is the extension's own. It is compared and dropped, never kept or shown.
fn signs_in(auth: &Message, sign_in: Option<&SignIn>) -> bool {
    let shown = auth.get("PasswordDigest").unwrap_or_default();
    sign_in.is_none_or(|own| shown.strip_prefix("MD5:") == Some(own.ha1.expose()))
}

fn fields(message: &Message) -> BTreeMap<String, String> {
    message
        .fields()
        .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
        .collect()
}

fn expected_endpoint(tenant: &PresentTenant, extension: &ExtensionConfig) -> Vec<(&'static str, String)> {
    let settings = &extension.settings;
    let address = extension.address(&tenant.domain);
    let domain = tenant.domain.to_string();
    let codecs: Vec<&str> = settings
        .codecs
        .as_slice()
        .iter()
        .map(|codec| codec.as_str())
        .collect();
    let (webrtc, encryption) = match settings.transport {
        Transport::Udp | Transport::Tcp => ("no", "no"),
        Transport::Tls => ("no", "sdes"),
        Transport::Websocket => ("yes", "dtls"),
    };
    let set_var = if extension.records_outbound() {
        "SWITCHYARD_RECORD_CALLER=1"
    } else {
        ""
    };
    vec![
        ("Context", domain.clone()),
        ("MessageContext", "switchyard-messages".to_owned()),
        ("Auth", address.clone()),
        ("Aors", address.clone()),
        ("FromDomain", domain.clone()),
        ("IdentifyBy", "username".to_owned()),
        ("Accountcode", domain.clone()),
        ("NamedCallGroup", domain.clone()),
        ("NamedPickupGroup", domain),
        (
            "Mailboxes",
            if settings.voicemail.enabled {
                address
            } else {
                String::new()
            },
        ),
        ("Allow", format!("({})", codecs.join("|"))),
        ("Webrtc", webrtc.to_owned()),
        ("MediaEncryption", encryption.to_owned()),
        ("SetVar", set_var.to_owned()),
        (
            "Callerid",
            shown_caller_id(extension.caller_name(), extension.caller_number()),
        ),
    ]
}

/// As Asterisk writes it out: quotes and backslashes of the name escaped, and cut where it has no room for them.
fn shown_caller_id(name: &str, number: &str) -> String {
    let mut shown = String::from('"');
    for c in name.chars() {
        if matches!(c, '\\' | '"') {
            shown.push('\\');
        }
        shown.push(c);
    }
    for part in ["\" <", number, ">"] {
        shown.push_str(part);
    }
    let room = name.len() + number.len() + CALLER_ID_FRAME;
    let bytes = shown.as_bytes();
    // The cut may go through a character, here as there.
    String::from_utf8_lossy(bytes.get(..room).unwrap_or(bytes)).into_owned()
}

fn expected_auth(tenant: &PresentTenant, extension: &ExtensionConfig) -> Vec<(&'static str, String)> {
    let mut expected = vec![
        ("ObjectName", extension.address(&tenant.domain)),
        ("Username", extension.number.to_string()),
    ];
    if let Some(own) = tenant.sign_ins.get(&extension.id) {
        expected.push(("Realm", own.realm.to_string()));
    }
    expected
}

fn expected_aor(tenant: &PresentTenant, extension: &ExtensionConfig) -> Vec<(&'static str, String)> {
    vec![
        ("ObjectName", extension.address(&tenant.domain)),
        ("MaxContacts", extension.settings.max_contacts.get().to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// As an Asterisk 22.10.1 showed them.
    #[rstest]
    #[case::plain("Ann", "1001", r#""Ann" <1001>"#)]
    #[case::escaped(r#"A "B" \"#, "1001", r#""A \"B\" \\" <1001>"#)]
    #[case::five_escapes_fit(r#"""""""#, "2005", r#""\"\"\"\"\"" <2005>"#)]
    #[case::the_sixth_does_not(r#""""""""#, "2006", r#""\"\"\"\"\"\"" <2006"#)]
    fn a_caller_id_is_expected_as_it_is_shown(#[case] name: &str, #[case] number: &str, #[case] shown: &str) {
        assert_eq!(shown_caller_id(name, number), shown);
    }
}
