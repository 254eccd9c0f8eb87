//! Keys that a local issuer signs with, and tokens made by hand, so that they can be as wrong as one likes.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

/// Base64 as tokens have it.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An RSA key with its id.
pub struct RsaKey {
    pub id: String,
    pair: RsaKeyPair,
}

impl RsaKey {
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            pair: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    /// A certificate of the key, as Firebase publishes them.
    pub fn certificate(&self) -> String {
        let pkcs8 = self.pair.as_der().unwrap();
        let key = KeyPair::try_from(pkcs8.as_ref()).unwrap();
        let mut params = CertificateParams::new(vec!["securetoken.example".to_owned()]).unwrap();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.self_signed(&key).unwrap().pem()
    }

    pub fn jwk(&self) -> Value {
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(self.pair.public_key());
        json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.id, "n": b64(n), "e": b64(e) })
    }

    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "JWT", "kid": self.id })
    }

    /// A token as it should be.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header(), claims)
    }

    /// A token with that header; signed by RS256, or by RS512 where it says so.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let padding = if header["alg"] == "RS512" {
            &RSA_PKCS1_SHA512
        } else {
            &RSA_PKCS1_SHA256
        };
        joined(header, claims, |message| {
            let mut signature = vec![0; self.pair.public_modulus_len()];
            self.pair
                .sign(padding, &SystemRandom::new(), message, &mut signature)
                .unwrap();
            signature
        })
    }

    /// The public key in each form that somebody could take for a secret.
    pub fn public_forms(&self) -> Vec<Vec<u8>> {
        let public = self.pair.public_key();
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(public);
        let spki = public.as_der().unwrap().as_ref().to_vec();
        vec![
            self.certificate().into_bytes(),
            public.as_ref().to_vec(),
            spki,
            n,
            e,
        ]
    }
}

/// The object of key ids and certificates.
pub fn certificates(keys: &[&RsaKey]) -> Value {
    keys.iter()
        .map(|key| (key.id.clone(), json!(key.certificate())))
        .collect()
}

/// The set of JSON Web Keys.
pub fn jwks(keys: &[&RsaKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

/// A P-256 key with the id `ec`.
pub struct EcKey(EcdsaKeyPair);

impl EcKey {
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn jwk(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": "ec", "x": b64(x), "y": b64(y) })
    }

    pub fn token(&self, claims: &Value) -> String {
        joined(&json!({ "alg": "ES256", "kid": "ec" }), claims, |message| {
            self.0
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec()
        })
    }
}

/// A token by HMAC.
pub fn hmac_token(secret: &[u8], header: &Value, claims: &Value) -> String {
    joined(header, claims, |message| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::sign(&key, message).as_ref().to_vec()
    })
}

/// Header and claims with whatever signs them.
pub fn joined(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", b64(signature))
}
