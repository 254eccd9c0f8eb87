//! The keys that an issuer publishes, as JSON Web Keys or as certificates.

use std::collections::BTreeMap;
use std::collections::HashMap;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::ParsedCertificate;

/// A key and the one algorithm that it is for: what a token says of its algorithm is compared, never followed.
#[derive(Clone)]
pub(super) struct PublishedKey {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

/// Keys by their id.
pub(super) type KeySet = HashMap<String, PublishedKey>;

/// What was published is no set of keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKeys {
    #[error("it is not the JSON that was expected")]
    Json(#[from] serde_json::Error),
    #[error("it holds no key that could sign an identity: RSA for RS256 or P-256 for ES256, with an id")]
    Empty,
}

/// A set of JSON Web Keys. Others' keys in it are left out: for encryption, or of algorithms that are not accepted.
pub(super) fn jwks(body: &[u8]) -> Result<KeySet, NoKeys> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(body)?;
    let keys = set
        .keys
        .into_iter()
        .filter_map(|key| from_jwk(&serde_json::from_value(key).ok()?));
    some(keys.collect())
}

/// An object from key id to certificate in PEM. Whether a certificate is still in its time is for the issuer to say, who
/// publishes it or does not.
pub(super) fn certificates(body: &[u8]) -> Result<KeySet, NoKeys> {
    let map: BTreeMap<String, String> = serde_json::from_slice(body)?;
    let keys = map
        .into_iter()
        .filter_map(|(id, pem)| Some((id, from_certificate(&pem)?)));
    some(keys.collect())
}

fn some(keys: KeySet) -> Result<KeySet, NoKeys> {
    if keys.is_empty() {
        Err(NoKeys::Empty)
    } else {
        Ok(keys)
    }
}

fn from_jwk(jwk: &Jwk) -> Option<(String, PublishedKey)> {
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
            curve: EllipticCurve::P256,
            ..
        }) => Algorithm::ES256,
        _ => return None,
    };
    let fits = match common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::RS256) => algorithm == Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => algorithm == Algorithm::ES256,
        Some(_) => false,
    };
    let id = common.key_id.clone().filter(|_| fits)?;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((id, PublishedKey { algorithm, key }))
}

fn from_certificate(pem: &str) -> Option<PublishedKey> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let parsed = ParsedCertificate::try_from(&certificate).ok()?;
    // Other kinds of keys stop here.
    let key = aws_lc_rs::rsa::PublicKey::from_der(&parsed.subject_public_key_info()).ok()?;
    Some(PublishedKey {
        algorithm: Algorithm::RS256,
        key: DecodingKey::from_rsa_der(key.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
    use rstest::rstest;
    use serde_json::json;

    /// RFC 7517, appendix A.1: a P-256 key for encryption and an RSA key; the first for signatures here.
    fn jwk(kind: &str) -> Value {
        match kind {
            "EC" => json!({"kty": "EC", "crv": "P-256", "kid": "1",
                "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}),
            _ => {
                json!({"kty": "RSA", "kid": "1", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw", "e": "AQAB"})
            }
        }
    }

    fn algorithm(key: &Value) -> Option<Algorithm> {
        let body = json!({ "keys": [key] }).to_string();
        jwks(body.as_bytes()).ok()?.get("1").map(|key| key.algorithm)
    }

    #[rstest]
    #[case("RSA", json!({}), Some(Algorithm::RS256))]
    #[case("RSA", json!({"alg": "RS256", "use": "sig"}), Some(Algorithm::RS256))]
    #[case("EC", json!({}), Some(Algorithm::ES256))]
    #[case("EC", json!({"alg": "ES256", "use": "sig"}), Some(Algorithm::ES256))]
    #[case("RSA", json!({"use": "enc"}), None)]
    #[case("RSA", json!({"alg": "RS512"}), None)]
    #[case("RSA", json!({"alg": "HS256"}), None)]
    #[case("RSA", json!({"alg": "ES256"}), None)]
    #[case("RSA", json!({"alg": "RSA-OAEP"}), None)]
    #[case("EC", json!({"alg": "RS256"}), None)]
    #[case("EC", json!({"crv": "P-384"}), None)]
    #[case("RSA", json!({"kid": null}), None)]
    #[case("RSA", json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}), None)]
    #[case("RSA", json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}), None)]
    fn a_key_is_for_one_algorithm_or_left_out(
        #[case] kind: &str,
        #[case] members: Value,
        #[case] expected: Option<Algorithm>,
    ) {
        let mut key = jwk(kind);
        key.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        assert_eq!(algorithm(&key), expected);
    }

    #[test]
    fn a_key_that_is_none_does_not_spoil_the_others() {
        let body = json!({ "keys": [{"kty": "later"}, 7, jwk("EC")] }).to_string();
        let ids: Vec<String> = jwks(body.as_bytes()).unwrap().into_keys().collect();
        assert_eq!(ids, ["1"]);
    }

    #[test]
    fn what_holds_no_key_is_refused() {
        for body in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":{}}"#, "<html>"] {
            assert!(jwks(body.as_bytes()).is_err(), "{body}");
        }
        for body in ["", "[]", "{}", r#"{"1":"x"}"#, r#"{"1":{}}"#] {
            assert!(certificates(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_certificate_with_another_kind_of_key_is_left_out() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
        let body = json!({ "1": certificate.pem() }).to_string();
        assert!(matches!(certificates(body.as_bytes()), Err(NoKeys::Empty)));
    }
}
