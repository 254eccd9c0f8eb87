//! A mail as it waits in the database: one text, which is sealed there.

use std::mem;

use secrecy::{ExposeSecret, SecretString};
use serde::ser::Error as _;
use zeroize::Zeroizing;

use super::Mail;

/// A text is no mail.
#[derive(Debug, thiserror::Error)]
#[error("it is no mail of this program")]
pub struct NoMail;

impl Mail {
    /// The whole mail as a secret.
    pub fn to_payload(&self) -> Result<SecretString, serde_json::Error> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
        let mut writer = serde_json::Serializer::new(&mut *bytes);
        Self::serialize(self, &mut writer)?;
        let text = String::from_utf8(mem::take(&mut *bytes)).map_err(serde_json::Error::custom)?;
        Ok(text.into())
    }

    /// The mail that was written so. Every part is parsed again. The error repeats nothing of it.
    pub fn from_payload(payload: &SecretString) -> Result<Self, NoMail> {
        let mut reader = serde_json::Deserializer::from_str(payload.expose_secret());
        let mail = Self::deserialize(&mut reader).map_err(|_| NoMail)?;
        reader.end().map_err(|_| NoMail)?;
        Ok(mail)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invitation, Page, PasswordChanged, PublicUrl, Recipient};
    use super::*;
    use rstest::rstest;

    fn recipient() -> Recipient {
        Recipient {
            address: "ann@example.com".parse().unwrap(),
            name: "Ann \"The Doc\" <b>".parse().unwrap(),
        }
    }

    fn invitation() -> Mail {
        let url: PublicUrl = "https://pbx.example.com".parse().unwrap();
        let token = SecretString::from("s3cret");
        Mail::Invitation(Invitation {
            to: recipient(),
            tenant: Some("Söhne & Co".parse().unwrap()),
            inviter: None,
            link: url.link(Page::Invitation, &token).ok().unwrap(),
            expires_at: "2026-12-01T10:00:00Z".parse().unwrap(),
        })
    }

    #[test]
    fn a_mail_reads_back_with_its_link() {
        let payload = invitation().to_payload().unwrap();
        let Mail::Invitation(read) = Mail::from_payload(&payload).unwrap() else {
            panic!("another kind")
        };
        assert_eq!(read.to, recipient());
        assert_eq!(read.tenant.unwrap().as_str(), "Söhne & Co");
        assert_eq!(read.inviter, None);
        assert_eq!(
            read.link.expose(),
            "https://pbx.example.com/invitation#token=s3cret"
        );
        assert_eq!(read.expires_at.to_string(), "2026-12-01T10:00:00Z");
    }

    #[test]
    fn a_mail_without_a_secret_reads_back_too() {
        let changed = PasswordChanged {
            to: recipient(),
            changed_at: "2026-12-01T10:00:00Z".parse().unwrap(),
            by: Some("Bob".parse().unwrap()),
        };
        let payload = Mail::PasswordChanged(changed.clone()).to_payload().unwrap();
        let read = Mail::from_payload(&payload).unwrap();
        assert!(matches!(read, Mail::PasswordChanged(read) if read == changed));
    }

    /// Somebody with the key, or a fault of the program, has put a line into a header.
    #[rstest]
    #[case("Söhne & Co", "Acme\\r\\nBcc: all@example.com")]
    #[case("ann@example.com", "ann@example.com\\r\\nBcc: all@example.com")]
    #[case("https://pbx.example.com/", "javascript:alert(1)//")]
    #[case("s3cret", "s3cret\\r\\nx")]
    #[case("\"inviter\":null", "\"inviter\":7")]
    #[case("{\"invitation\"", "{\"greeting\"")]
    fn a_payload_that_no_mail_writes_is_refused(#[case] from: &str, #[case] to: &str) {
        let payload = invitation().to_payload().unwrap();
        let text = payload.expose_secret();
        assert!(text.contains(from), "{text}");
        let changed = SecretString::from(text.replace(from, to));
        assert!(Mail::from_payload(&changed).is_err());
    }
}
