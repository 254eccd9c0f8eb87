//! The token that a signed-in user presents: a JWT that says who they are, while what they may do is read from the
//! database at each request.

use jiff::Timestamp;
use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::domain::ids::{SessionId, TenantId, UserId};
use crate::domain::permission::Permission;

const ISSUER: &str = "switchyard";
/// The clocks of hosts that share a database may differ by so many seconds.
const SKEW: i64 = 60;
/// No token of ours is longer; a custom role with every right makes one of 1.2 KiB.
const LONGEST: usize = 4096;

/// What a token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    /// Who it is.
    pub user_id: UserId,
    /// The session that was opened by signing in.
    pub session_id: SessionId,
    /// The tenant they work for; none for managers of the platform without one.
    pub tenant_id: Option<TenantId>,
    /// The name of their role there.
    pub role: Option<String>,
    /// What the role held when they signed in, for clients to show.
    pub permissions: Vec<Permission>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The same as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    iss: String,
    sub: UserId,
    user_id: UserId,
    sid: SessionId,
    org_id: Option<TenantId>,
    role: Option<String>,
    permissions: Vec<Permission>,
    iat: i64,
    exp: i64,
}

/// Why a token is refused; for the log only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// It is none of ours: its form, its algorithm, its signature or its claims.
    #[error("the token is none of ours")]
    Foreign,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It was made later than now.
    #[error("the token is from the future; compare the hosts' clocks")]
    Future,
}

/// A token could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a token could not be signed")]
pub struct SignError(#[source] Error);

/// Signs and reads tokens. Without `Debug`, `Display` or `Serialize`.
pub struct TokenKey {
    signing: EncodingKey,
    reading: DecodingKey,
    validation: Validation,
}

impl TokenKey {
    /// Works with that key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        super::jwt::prepare();
        Self {
            signing: EncodingKey::from_secret(key),
            reading: DecodingKey::from_secret(key),
            validation: super::jwt::signature_only(Algorithm::HS256),
        }
    }

    /// The token that says this.
    pub fn sign(&self, claims: &Claims) -> Result<SecretString, SignError> {
        let wire = Wire {
            iss: ISSUER.to_owned(),
            sub: claims.user_id,
            user_id: claims.user_id,
            sid: claims.session_id,
            org_id: claims.tenant_id,
            role: claims.role.clone(),
            permissions: claims.permissions.clone(),
            iat: claims.issued_at.as_second(),
            exp: claims.expires_at.as_second(),
        };
        let token = encode(&Header::new(Algorithm::HS256), &wire, &self.signing);
        token.map(SecretString::from).map_err(SignError)
    }

    /// What a token says, if it is one of ours and holds now.
    pub fn read(&self, token: &SecretString, now: Timestamp) -> Result<Claims, TokenError> {
        let token = token.expose_secret();
        if token.len() > LONGEST {
            return Err(TokenError::Foreign);
        }
        let Ok(data) = decode::<Wire>(token, &self.reading, &self.validation) else {
            return Err(TokenError::Foreign);
        };
        let Wire {
            iss,
            sub,
            user_id,
            sid,
            org_id,
            role,
            permissions,
            iat,
            exp,
        } = data.claims;
        let time = |seconds| Timestamp::from_second(seconds).map_err(|_| TokenError::Foreign);
        if iss != ISSUER || sub != user_id {
            return Err(TokenError::Foreign);
        }
        if exp <= now.as_second() {
            return Err(TokenError::Expired);
        }
        if iat > now.as_second() + SKEW {
            return Err(TokenError::Future);
        }
        Ok(Claims {
            user_id,
            session_id: sid,
            tenant_id: org_id,
            role,
            permissions,
            issued_at: time(iat)?,
            expires_at: time(exp)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use uuid::Uuid;

    const KEY: [u8; 32] = [7; 32];
    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            user_id: UserId::from_uuid(Uuid::from_u128(1)),
            session_id: SessionId::from_uuid(Uuid::from_u128(2)),
            tenant_id: Some(TenantId::from_uuid(Uuid::from_u128(3))),
            role: Some("owner".to_owned()),
            permissions: Permission::ALL.to_vec(),
            issued_at: at(NOW),
            expires_at: at(NOW + 3600),
        }
    }

    fn read(token: &str) -> Result<Claims, TokenError> {
        TokenKey::new(&KEY).read(&token.into(), at(NOW + 1))
    }

    fn sign(claims: &Claims) -> String {
        TokenKey::new(&KEY)
            .sign(claims)
            .unwrap()
            .expose_secret()
            .to_owned()
    }

    /// Our own key under whatever is claimed.
    fn forge(algorithm: Algorithm, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": "switchyard", "sub": Uuid::from_u128(1), "userId": Uuid::from_u128(1), "sid": Uuid::from_u128(2),
            "orgId": null, "role": null, "permissions": [], "iat": NOW, "exp": NOW + 3600,
        });
        change(&mut claims);
        encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(&KEY)).unwrap()
    }

    #[test]
    fn a23_a_token_says_who_it_is_of_in_which_tenant_and_with_which_rights() {
        let token = sign(&claims());
        assert!(token.len() < LONGEST / 2, "{}", token.len());
        assert_eq!(read(&token), Ok(claims()));
        let body: Value = jsonwebtoken::dangerous::insecure_decode_claims(&token).unwrap();
        assert_eq!(body["orgId"], json!(Uuid::from_u128(3)));
        assert_eq!(body["userId"], body["sub"]);
        assert_eq!(body["role"], "owner");
        assert_eq!(body["permissions"].as_array().unwrap().len(), 30);
        assert_eq!(body["permissions"][0], "org.settings.read");
    }

    #[test]
    fn a_manager_of_the_platform_needs_no_tenant() {
        let manager = Claims {
            tenant_id: None,
            role: None,
            permissions: vec![],
            ..claims()
        };
        let token = sign(&manager);
        assert_eq!(read(&token), Ok(manager));
        let body: Value = jsonwebtoken::dangerous::insecure_decode_claims(&token).unwrap();
        assert_eq!(body["orgId"], Value::Null);
    }

    #[test]
    fn each_flipped_bit_of_a_token_is_noticed() {
        let token = sign(&claims());
        for position in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                // What is no text never gets here.
                if let Ok(damaged) = String::from_utf8(bytes) {
                    assert_eq!(
                        read(&damaged),
                        Err(TokenError::Foreign),
                        "byte {position}, bit {bit}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_token_ends_in_the_second_that_it_names() {
        let key = TokenKey::new(&KEY);
        let token = sign(&claims()).into();
        assert!(key.read(&token, at(NOW + 3599)).is_ok());
        assert_eq!(key.read(&token, at(NOW + 3600)), Err(TokenError::Expired));
        assert_eq!(key.read(&token, at(NOW - 61)), Err(TokenError::Future));
        assert!(key.read(&token, at(NOW - 60)).is_ok());
    }

    #[test]
    fn what_our_key_signed_for_another_purpose_is_no_token() {
        assert!(read(&forge(Algorithm::HS256, |_| ())).is_ok());
        for algorithm in [Algorithm::HS384, Algorithm::HS512] {
            assert_eq!(read(&forge(algorithm, |_| ())), Err(TokenError::Foreign));
        }
        for name in ["iss", "sub", "userId", "sid", "permissions", "iat", "exp"] {
            let without = forge(Algorithm::HS256, |claims| {
                claims.as_object_mut().unwrap().remove(name);
            });
            assert_eq!(read(&without), Err(TokenError::Foreign), "without {name}");
        }
        for (name, value) in [
            ("iss", json!("someone")),
            ("sub", json!(Uuid::from_u128(9))),
            ("exp", json!("4102444800")),
            ("exp", json!(i64::MAX)),
            ("permissions", json!(["everything"])),
        ] {
            let other = forge(Algorithm::HS256, |claims| claims[name] = value.clone());
            assert_eq!(read(&other), Err(TokenError::Foreign), "{name}: {value}");
        }
    }

    #[test]
    fn a_token_without_a_signature_is_none() {
        let token = sign(&claims());
        let (signed, _) = token.rsplit_once('.').unwrap();
        let (_, body) = signed.split_once('.').unwrap();
        // {"alg":"none","typ":"JWT"}
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
        for token in [
            "",
            ".",
            "..",
            signed,
            &format!("{signed}."),
            &none,
            &"x".repeat(5000),
        ] {
            assert_eq!(read(token), Err(TokenError::Foreign), "{token}");
        }
    }

    proptest! {
        #[test]
        fn a_token_of_another_key_is_refused(key in any::<[u8; 32]>(), user in any::<u128>()) {
            prop_assume!(key != KEY);
            let claims = Claims { user_id: UserId::from_uuid(Uuid::from_u128(user)), ..claims() };
            let token = TokenKey::new(&key).sign(&claims).unwrap();
            prop_assert_eq!(TokenKey::new(&KEY).read(&token, at(NOW + 1)), Err(TokenError::Foreign));
            prop_assert_eq!(TokenKey::new(&key).read(&token, at(NOW + 1)), Ok(claims));
        }

        #[test]
        fn whatever_is_presented_is_refused_and_nothing_breaks(text in ".{0,300}") {
            prop_assert_eq!(read(&text), Err(TokenError::Foreign));
        }
    }
}
