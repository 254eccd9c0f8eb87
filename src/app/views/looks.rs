//! What a deploy would do, and what the running PBX was found to serve, as every surface shows it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::deploy::{Preview, Verification};

/// What a deploy would do.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct PlanView(Preview);

impl From<Preview> for PlanView {
    fn from(preview: Preview) -> Self {
        Self(preview)
    }
}

/// What the running PBX was found to serve.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct VerificationView(Verification);

impl From<Verification> for VerificationView {
    fn from(verification: Verification) -> Self {
        Self(verification)
    }
}
