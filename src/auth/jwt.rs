//! What all JSON Web Tokens have in common here: one cryptographic library, and checks of our own.

use std::collections::HashSet;

use jsonwebtoken::crypto::aws_lc;
use jsonwebtoken::{Algorithm, Validation};

/// Settles the cryptographic library, which is else found out at first use, and with a panic where two could be meant.
pub(super) fn prepare() {
    // An error says that it is settled.
    let _ = aws_lc::DEFAULT_PROVIDER.install_default();
}

/// Form, algorithm and signature only. The claims are for their reader to check, by a clock that is passed in: the
/// library's own checks are lenient by a minute, and take a token from the future.
pub(super) fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
