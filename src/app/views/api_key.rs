//! An API key as every surface shows it: without its secret, but where it is made or rotated.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::api_key::{ApiKey, KeySecret};
use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::name::KeyName;
use crate::domain::permission::Permission;

/// An API key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
pub struct ApiKeyView {
    id: ApiKeyId,
    name: KeyName,
    prefix: String,
    permissions: BTreeSet<Permission>,
    author_id: UserId,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            permissions: key.permissions,
            author_id: key.author_id,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            created_at: key.created_at,
        }
    }
}

/// An API key with the whole of it, for whoever has just made or rotated it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedApiKey")]
pub struct CreatedKeyView {
    #[serde(flatten)]
    key: ApiKeyView,
    #[schemars(with = "KeySecret")]
    secret: String,
}

impl CreatedKeyView {
    /// Shows the secret.
    #[must_use]
    pub fn revealing(key: ApiKey, secret: &KeySecret) -> Self {
        Self {
            key: key.into(),
            secret: secret.expose().to_owned(),
        }
    }
}
