//! The signature of a request: HMAC-SHA256 over the time, a dot and the body.

use std::fmt::Write as _;

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};

use crate::domain::webhook::WebhookSecret;

/// What stands in the header: `v1=` and 64 hex digits, once for each secret that is good, the newest first, separated by a comma.
///
/// The key is the secret's text as it was shown. `time` are the seconds since 1970 as they stand in their header.
pub(super) fn signatures(secrets: &[WebhookSecret], time: i64, body: &str) -> String {
    let mut header = String::new();
    for secret in secrets {
        header.push_str(if header.is_empty() { "v1=" } else { ",v1=" });
        let mut signing = Context::with_key(&Key::new(HMAC_SHA256, secret.expose().as_bytes()));
        signing.update(time.to_string().as_bytes());
        signing.update(b".");
        signing.update(body.as_bytes());
        for byte in signing.sign().as_ref() {
            // Writing to a String cannot fail.
            let _ = write!(header, "{byte:02x}");
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of docs/webhooks.md.
    const SECRET: &str = "whs_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    const TIME: i64 = 1_796_000_000;
    const BODY: &str = r#"{"id":"0198c0de-0000-7000-8000-000000000001","number":1,"type":"user.created"}"#;

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::parse(text.to_owned().into()).ok().unwrap()
    }

    #[test]
    fn the_example_of_the_documentation_is_true() {
        let signature = signatures(&[secret(SECRET)], TIME, BODY);
        let page = include_str!("../../../docs/webhooks.md");
        for part in [SECRET, &TIME.to_string(), BODY, &signature] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn while_a_secret_is_changed_both_sign() {
        let (new, old) = (secret(SECRET), secret(&SECRET.replace('0', "1")));
        let one = |secret: &WebhookSecret| signatures(std::slice::from_ref(secret), TIME, BODY);
        let both = format!("{},{}", one(&new), one(&old));
        assert_eq!(signatures(&[new, old], TIME, BODY), both);
        assert_eq!(both.len(), 2 * (3 + 64) + 1);
    }
}
