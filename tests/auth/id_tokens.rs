//! ID tokens against a real issuer: who comes through, and who signed, with what and for whom.

use serde_json::{Value, json};
use switchyard::auth::oidc::{IdTokenError, Issuers, Refusal};

use crate::issuer::{
    AUDIENCE, Answer, CERTIFICATES, DISCOVERY, Hand, JWKS, LocalIssuer, PROJECT, believing, firebase_claims,
    verify,
};
use crate::issuer_keys::{EcKey, RsaKey, b64, certificates, hmac_token, joined, jwks};

/// An issuer that publishes one key in every way, and who believes it as Firebase, and as an issuer of OpenID Connect.
pub struct Ground {
    pub issuer: LocalIssuer,
    pub key: RsaKey,
    pub clock: Hand,
    issuers: Issuers,
}

impl Ground {
    pub fn new() -> Self {
        let (issuer, key, clock) = (LocalIssuer::start(), RsaKey::new("k1"), Hand::new());
        issuer.publish(CERTIFICATES, Answer::keys(certificates(&[&key])));
        issuer.publish(JWKS, Answer::keys(jwks(&[&key])));
        let issuers = believing(vec![issuer.firebase(), issuer.oidc()], &clock);
        Self {
            issuer,
            key,
            clock,
            issuers,
        }
    }

    pub async fn refusal(&self, token: &str) -> Option<Refusal> {
        match verify(&self.issuers, token).await {
            Ok(_) => None,
            Err(IdTokenError::Refused(refusal)) => Some(refusal),
            Err(error) => panic!("{error}"),
        }
    }

    pub fn firebase(&self) -> Value {
        firebase_claims(self.clock.second())
    }

    pub fn oidc(&self) -> Value {
        self.issuer.claims(self.clock.second())
    }
}

/// Claims with others in their place; without those that are null.
pub fn with(mut claims: Value, changes: &Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

#[tokio::test]
async fn a23_a_firebase_token_says_who_it_is_of() {
    let ground = Ground::new();
    let identity = verify(&ground.issuers, &ground.key.token(&ground.firebase()))
        .await
        .unwrap();
    assert_eq!(
        identity.issuer.as_str(),
        "https://securetoken.google.com/acme-phones"
    );
    assert_eq!(identity.subject, "user-1");
    assert_eq!(identity.email.as_str(), "ann@example.com");
    assert_eq!(identity.name.as_deref(), Some("Ann Archer"));
    assert_eq!(ground.issuer.asked(CERTIFICATES), 1);
    assert_eq!(ground.issuer.asked(JWKS), 0);
}

#[tokio::test]
async fn a23_any_openid_issuer_is_found_by_itself_and_signs_with_rsa_or_with_p256() {
    let (issuer, rsa, ec, clock) = (LocalIssuer::start(), RsaKey::new("k1"), EcKey::new(), Hand::new());
    issuer.publish_discovery();
    issuer.publish(JWKS, Answer::keys(json!({ "keys": [rsa.jwk(), ec.jwk()] })));
    let issuers = believing(vec![issuer.oidc_by_discovery()], &clock);
    let claims = issuer.claims(clock.second());
    for token in [rsa.token(&claims), ec.token(&claims)] {
        let identity = verify(&issuers, &token).await.unwrap();
        assert_eq!(identity.issuer.as_str(), issuer.url(""));
        assert_eq!(identity.subject, "user-1");
    }
    assert_eq!((issuer.asked(DISCOVERY), issuer.asked(JWKS)), (1, 1));
    // A key is for its own algorithm, whatever else the issuer has.
    let swapped = rsa.token_with(&json!({ "alg": "RS256", "kid": "ec" }), &claims);
    let refused = Err(IdTokenError::Refused(Refusal::Algorithm));
    assert_eq!(verify(&issuers, &swapped).await, refused);
}

#[tokio::test]
async fn a23_only_the_keys_own_algorithm_is_followed() {
    let ground = Ground::new();
    for claims in [ground.firebase(), ground.oidc()] {
        assert_eq!(ground.refusal(&ground.key.token(&claims)).await, None);
        for name in ["none", "None", "NONE", ""] {
            let header = json!({ "alg": name, "typ": "JWT", "kid": "k1" });
            for token in [
                joined(&header, &claims, |_| vec![]),
                ground.key.token_with(&header, &claims),
            ] {
                assert_eq!(ground.refusal(&token).await, Some(Refusal::Header), "{name}");
            }
        }
        // The public key is known to everybody, and would be the secret of an HMAC.
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": "k1" });
        for secret in ground.key.public_forms() {
            let token = hmac_token(&secret, &header, &claims);
            assert_eq!(ground.refusal(&token).await, Some(Refusal::Algorithm));
        }
        for name in ["RS384", "RS512", "PS256", "ES256", "EdDSA", "HS512"] {
            let token = ground
                .key
                .token_with(&json!({ "alg": name, "kid": "k1" }), &claims);
            assert_eq!(ground.refusal(&token).await, Some(Refusal::Algorithm), "{name}");
        }
    }
}

#[tokio::test]
async fn a23_only_what_the_issuers_key_signed_is_believed() {
    let ground = Ground::new();
    let claims = ground.firebase();
    // Another key under the same id, and one that nobody published.
    let forged = RsaKey::new("k1").token(&claims);
    assert_eq!(ground.refusal(&forged).await, Some(Refusal::Signature));
    let unknown = RsaKey::new("k2").token(&claims);
    assert_eq!(ground.refusal(&unknown).await, Some(Refusal::UnknownKey));

    let good = ground.key.token(&claims);
    let [header, body, signature] = <[&str; 3]>::try_from(good.split('.').collect::<Vec<_>>()).unwrap();
    let other = b64(with(claims.clone(), &json!({"sub": "user-2"})).to_string());
    let cut = signature.get(..signature.len() - 4).unwrap();
    for token in [
        format!("{header}.{other}.{signature}"),
        format!("{header}.{body}.{}", b64([0; 256])),
        format!("{header}.{body}.{cut}"),
        format!("{header}.{body}."),
        format!("{header}.{body}.{signature}="),
        format!(
            "{}.{body}.{signature}",
            b64(json!({"kid": "k1", "alg": "RS256"}).to_string())
        ),
    ] {
        assert_eq!(ground.refusal(&token).await, Some(Refusal::Signature), "{token}");
    }
    assert_eq!(ground.refusal(&good).await, None);
}

#[tokio::test]
async fn a_header_that_asks_for_what_is_not_known_is_refused() {
    let ground = Ground::new();
    for (changes, refusal) in [
        (json!({"kid": null}), Refusal::UnknownKey),
        (json!({"kid": ""}), Refusal::UnknownKey),
        (json!({"kid": 7}), Refusal::Header),
        (json!({"typ": "at+jwt"}), Refusal::Header),
        (json!({"crit": ["b64"], "b64": false}), Refusal::Header),
        (json!({"crit": []}), Refusal::Header),
        (json!({"alg": null}), Refusal::Header),
    ] {
        let header = with(ground.key.header(), &changes);
        let token = ground.key.token_with(&header, &ground.oidc());
        assert_eq!(ground.refusal(&token).await, Some(refusal), "{changes}");
    }
    // A key or a place of keys in the token itself is of no interest.
    let mine = RsaKey::new("k1");
    let header = json!({"alg": "RS256", "kid": "k1", "jwk": mine.jwk(), "jku": ground.issuer.url("/mine")});
    let token = mine.token_with(&header, &ground.oidc());
    assert_eq!(ground.refusal(&token).await, Some(Refusal::Signature));
    assert_eq!(ground.issuer.asked("/mine"), 0);
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_asking_the_issuer() {
    let ground = Ground::new();
    let good = ground.key.token(&ground.oidc());
    let long = ground
        .key
        .token(&with(ground.oidc(), &json!({"pad": "x".repeat(16 * 1024)})));
    let twice = ground.oidc().to_string().replacen('{', r#"{"sub":"user-2","#, 1);
    let header = b64(ground.key.header().to_string());
    for token in [
        "",
        ".",
        "..",
        "a.b.c",
        &good.replace('.', ""),
        &long,
        &format!("{header}.{}.", b64("[]")),
        &format!("{header}.{}.", b64(&twice)),
        &format!("{header}.{}.", b64(twice.get(..40).unwrap())),
        "\u{0}\u{1}.é.\u{202e}",
    ] {
        assert_eq!(ground.refusal(token).await, Some(Refusal::Malformed), "{token}");
    }
    for token in [format!("{good}.{good}"), format!(" {good}"), format!("\n{good}")] {
        assert_eq!(ground.refusal(&token).await, Some(Refusal::Header), "{token}");
    }
    assert_eq!(
        (ground.issuer.asked(CERTIFICATES), ground.issuer.asked(JWKS)),
        (0, 0)
    );
}

#[tokio::test]
async fn an_issuer_vouches_for_its_own_users_only() {
    let ground = Ground::new();
    let (other, key) = (LocalIssuer::start(), RsaKey::new("k1"));
    other.publish(JWKS, Answer::keys(jwks(&[&key])));
    let both = believing(vec![ground.issuer.oidc(), other.oidc()], &ground.clock);
    let (ours, theirs) = (ground.oidc(), other.claims(ground.clock.second()));
    assert!(verify(&both, &ground.key.token(&ours)).await.is_ok());
    assert!(verify(&both, &key.token(&theirs)).await.is_ok());
    let refused = Err(IdTokenError::Refused(Refusal::Signature));
    assert_eq!(verify(&both, &key.token(&ours)).await, refused);
    assert_eq!(verify(&both, &ground.key.token(&theirs)).await, refused);
}

#[tokio::test]
async fn an_issuer_that_is_configured_twice_is_believed_for_either_audience() {
    let ground = Ground::new();
    let mut mobile = ground.issuer.oidc();
    mobile.audience = "mobile".parse().unwrap();
    let issuers = believing(vec![ground.issuer.oidc(), mobile], &ground.clock);
    for audience in [AUDIENCE, "mobile"] {
        let token = ground.key.token(&with(ground.oidc(), &json!({"aud": audience})));
        assert!(verify(&issuers, &token).await.is_ok(), "{audience}");
    }
    let token = ground.key.token(&with(ground.oidc(), &json!({"aud": PROJECT})));
    let refused = Err(IdTokenError::Refused(Refusal::Audience));
    assert_eq!(verify(&issuers, &token).await, refused);
}

#[tokio::test]
async fn where_no_issuer_is_configured_nobody_is_vouched_for() {
    let ground = Ground::new();
    let issuers = believing(vec![], &ground.clock);
    let refused = Err(IdTokenError::Refused(Refusal::Issuer));
    assert_eq!(
        verify(&issuers, &ground.key.token(&ground.firebase())).await,
        refused
    );
}
