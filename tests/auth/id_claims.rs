//! Each claim of an ID token that can be wrong, and those that are just good enough.

use serde_json::json;
use switchyard::auth::oidc::Refusal;

use crate::id_tokens::{Ground, with};

#[tokio::test]
async fn a23_a_token_is_from_the_issuer_for_us_and_for_now() {
    let ground = Ground::new();
    for (what, changes, refusal) in [
        ("audience of another", json!({"aud": "other"}), Refusal::Audience),
        (
            "audience in other case",
            json!({"aud": "PHONES"}),
            Refusal::Audience,
        ),
        ("audience missing", json!({"aud": null}), Refusal::Audience),
        ("audience empty", json!({"aud": []}), Refusal::Audience),
        (
            "audiences of others",
            json!({"aud": ["a", "b"]}),
            Refusal::Audience,
        ),
        (
            "audiences without party",
            json!({"aud": ["phones", "b"]}),
            Refusal::AuthorizedParty,
        ),
        (
            "audiences of another party",
            json!({"aud": ["phones", "b"], "azp": "b"}),
            Refusal::AuthorizedParty,
        ),
        ("audience of wrong type", json!({"aud": 7}), Refusal::Malformed),
        (
            "issuer of another",
            json!({"iss": "https://id.example.com"}),
            Refusal::Issuer,
        ),
        ("issuer missing", json!({"iss": null}), Refusal::Issuer),
        ("expired now", json!({"exp": 1_800_000_000}), Refusal::Expired),
        (
            "expired long ago",
            json!({"exp": 1_700_000_000}),
            Refusal::Expired,
        ),
        ("expiry missing", json!({"exp": null}), Refusal::Expired),
        ("expiry negative", json!({"exp": -1}), Refusal::Expired),
        (
            "expiry of wrong type",
            json!({"exp": "4102444800"}),
            Refusal::Malformed,
        ),
        (
            "issued in the future",
            json!({"iat": 1_800_000_061}),
            Refusal::IssuedAt,
        ),
        (
            "issued in milliseconds",
            json!({"iat": 1_800_000_000_000_i64}),
            Refusal::IssuedAt,
        ),
        ("issued never", json!({"iat": null}), Refusal::IssuedAt),
        (
            "not before later",
            json!({"nbf": 1_800_000_061}),
            Refusal::NotBefore,
        ),
        (
            "signed in later",
            json!({"auth_time": 1_800_000_061}),
            Refusal::AuthTime,
        ),
    ] {
        let token = ground.key.token(&with(ground.oidc(), &changes));
        assert_eq!(ground.refusal(&token).await, Some(refusal), "{what}");
    }
    // In one way only they were wrong.
    assert_eq!(ground.refusal(&ground.key.token(&ground.oidc())).await, None);
}

#[tokio::test]
async fn a23_a_token_is_of_somebody_with_a_verified_address() {
    let ground = Ground::new();
    for (what, changes, refusal) in [
        ("subject missing", json!({"sub": null}), Refusal::Subject),
        ("subject empty", json!({"sub": ""}), Refusal::Subject),
        ("subject long", json!({"sub": "x".repeat(129)}), Refusal::Subject),
        ("subject of two lines", json!({"sub": "a\nb"}), Refusal::Subject),
        ("subject of wrong type", json!({"sub": 7}), Refusal::Malformed),
        ("email missing", json!({"email": null}), Refusal::Email),
        ("email empty", json!({"email": ""}), Refusal::Email),
        (
            "email hostile",
            json!({"email": "ann@example.com\r\nBcc: x@y.z"}),
            Refusal::Email,
        ),
        (
            "email unverified",
            json!({"email_verified": false}),
            Refusal::EmailUnverified,
        ),
        (
            "email verified missing",
            json!({"email_verified": null}),
            Refusal::EmailUnverified,
        ),
        (
            "email verified by a word",
            json!({"email_verified": "true"}),
            Refusal::EmailUnverified,
        ),
        (
            "email verified by a number",
            json!({"email_verified": 1}),
            Refusal::EmailUnverified,
        ),
    ] {
        let token = ground.key.token(&with(ground.oidc(), &changes));
        assert_eq!(ground.refusal(&token).await, Some(refusal), "{what}");
    }
    // In one way only they were wrong.
    assert_eq!(ground.refusal(&ground.key.token(&ground.oidc())).await, None);
}

#[tokio::test]
async fn what_is_just_good_enough_comes_through() {
    let ground = Ground::new();
    for (what, changes) in [
        ("one of a list", json!({"aud": ["phones"]})),
        (
            "several and the party",
            json!({"aud": ["phones", "b"], "azp": "phones"}),
        ),
        (
            "one and another client of the same user",
            json!({"azp": "phones-on-android"}),
        ),
        ("just not expired", json!({"exp": 1_800_000_001})),
        (
            "fractions",
            json!({"exp": 1_800_000_000.5, "iat": 1_799_999_999.5}),
        ),
        (
            "a clock ahead by a minute",
            json!({"iat": 1_800_000_060, "nbf": 1_800_000_060, "auth_time": 1_800_000_060}),
        ),
        ("no time of signing in", json!({"auth_time": null})),
        ("the longest subject", json!({"sub": "é".repeat(128)})),
        ("no name", json!({"name": null})),
        ("a name of another type", json!({"name": {"first": "Ann"}})),
        (
            "claims that nobody asked for",
            json!({"nonce": "x", "firebase": {"sign_in_provider": "password"}}),
        ),
    ] {
        let token = ground.key.token(&with(ground.oidc(), &changes));
        assert_eq!(ground.refusal(&token).await, None, "{what}");
    }
}

#[tokio::test]
async fn a23_a_firebase_token_is_of_the_project_and_says_when_its_user_signed_in() {
    let ground = Ground::new();
    for (changes, refusal) in [
        (json!({"auth_time": null}), Refusal::AuthTime),
        (json!({"auth_time": 1_800_000_061}), Refusal::AuthTime),
        (json!({"aud": "other-phones"}), Refusal::Audience),
        (
            json!({"iss": "https://securetoken.google.com/other-phones"}),
            Refusal::Issuer,
        ),
        (
            json!({"iss": "https://securetoken.google.com/acme-phones/"}),
            Refusal::Issuer,
        ),
        (json!({"email_verified": false}), Refusal::EmailUnverified),
    ] {
        let token = ground.key.token(&with(ground.firebase(), &changes));
        assert_eq!(ground.refusal(&token).await, Some(refusal), "{changes}");
    }
}
