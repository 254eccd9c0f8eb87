//! An issuer of identities: who besides the database vouches for users.

use super::invalid::Invalid;
use super::name::IssuerName;
use super::parsed::{parsed_text, word_enum};
use super::web_url::WebUrl;

/// Where Google publishes the certificates of Firebase Authentication.
const FIREBASE_CERTIFICATES: &str =
    "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com";

word_enum! {
    /// How an issuer works.
    IssuerKind {
        /// As OpenID Connect says.
        Oidc = "oidc",
        /// Firebase Authentication.
        Firebase = "firebase",
    }
}

parsed_text! {
    /// What an issuer calls us, the `aud` of its tokens: 1 to 255 visible ASCII characters.
    Audience, audience
}

parsed_text! {
    /// The id of a Firebase project: 4 to 64 small letters, digits or `-`.
    FirebaseProject, firebase_project
}

/// An issuer whose tokens are believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issuer {
    /// The operator's name for it.
    pub name: IssuerName,
    /// The `iss` of its tokens, letter by letter.
    pub url: WebUrl,
    /// The `aud` of the tokens that are meant for us.
    pub audience: Audience,
    /// What else its tokens must hold.
    pub kind: IssuerKind,
    /// Where its keys are.
    pub keys: KeySource,
}

/// Where an issuer publishes the keys that its tokens are signed with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// Where `/.well-known/openid-configuration` below the issuer says.
    Discovery,
    /// A set of JSON Web Keys.
    Jwks(WebUrl),
    /// A JSON object from key id to X.509 certificate in PEM.
    Certificates(WebUrl),
}

impl Issuer {
    /// Firebase Authentication of one project; its certificates are where Google publishes them, unless said otherwise.
    pub fn firebase(
        name: IssuerName,
        project: &FirebaseProject,
        certificates: Option<WebUrl>,
    ) -> Result<Self, Invalid> {
        let certificates = match certificates {
            Some(url) => url,
            None => FIREBASE_CERTIFICATES.parse()?,
        };
        Ok(Self {
            name,
            url: format!("https://securetoken.google.com/{project}").parse()?,
            audience: project.as_str().parse()?,
            kind: IssuerKind::Firebase,
            keys: KeySource::Certificates(certificates),
        })
    }
}

fn audience(text: &str) -> Result<String, Invalid> {
    if !(1..=255).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Invalid::new("must have 1 to 255 visible ASCII characters"));
    }
    Ok(text.to_owned())
}

fn firebase_project(text: &str) -> Result<String, Invalid> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(4..=64).contains(&text.len()) || !text.bytes().all(allowed) {
        return Err(Invalid::new(
            "must be the id of a Firebase project: 4 to 64 small letters, digits or `-`",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a23_a_firebase_project_says_who_issues_and_for_whom() {
        let project = "acme-phones".parse().unwrap();
        let issuer = Issuer::firebase("google".parse().unwrap(), &project, None).unwrap();
        assert_eq!(issuer.url.as_str(), "https://securetoken.google.com/acme-phones");
        assert_eq!(issuer.audience.as_str(), "acme-phones");
        assert_eq!(
            issuer.keys,
            KeySource::Certificates(FIREBASE_CERTIFICATES.parse().unwrap())
        );
    }

    #[test]
    fn what_is_no_project_or_audience_is_refused() {
        for text in ["", "abc", "Acme-Phones", "acme/../x", "acme phones"] {
            assert!(text.parse::<FirebaseProject>().is_err(), "{text}");
        }
        for text in ["", "a b", "é", &"x".repeat(256)] {
            assert!(text.parse::<Audience>().is_err(), "{text}");
        }
    }
}
