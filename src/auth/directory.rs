//! Who there is, as the database knows it now.

use std::error::Error;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::api_key::KeyPresence;
use crate::domain::ids::{ApiKeyId, SessionId, TenantId};
use crate::domain::session::Presence;
use crate::store::{Store, StoreError, api_keys, sessions};

/// The caller could not be looked up.
#[derive(Debug, thiserror::Error)]
#[error("the caller could not be looked up")]
pub struct Unavailable(#[source] pub Box<dyn Error + Send + Sync>);

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self(Box::new(error))
    }
}

/// Knows every session, and every API key.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Who stands behind a session, and the tenant that they want to enter; nothing when there is no such session.
    async fn presence(
        &self,
        id: SessionId,
        entering: Option<TenantId>,
    ) -> Result<Option<Presence>, Unavailable>;

    /// Notes that a session is used.
    async fn touch(&self, id: SessionId, now: Timestamp) -> Result<(), Unavailable>;

    /// Who stands behind an API key that begins so; nothing when there is none.
    async fn key_presence(&self, prefix: &str) -> Result<Option<KeyPresence>, Unavailable>;

    /// Notes that an API key is used.
    async fn touch_key(&self, id: ApiKeyId, now: Timestamp) -> Result<(), Unavailable>;
}

#[async_trait]
impl Directory for Store {
    async fn presence(
        &self,
        id: SessionId,
        entering: Option<TenantId>,
    ) -> Result<Option<Presence>, Unavailable> {
        let mut tx = self.read_once("presence").await?;
        Ok(sessions::presence(&mut tx, id, entering).await?)
    }

    async fn touch(&self, id: SessionId, now: Timestamp) -> Result<(), Unavailable> {
        let mut tx = self.begin("touch_session").await?;
        sessions::touch(&mut tx, id, now).await?;
        Ok(tx.commit().await?)
    }

    async fn key_presence(&self, prefix: &str) -> Result<Option<KeyPresence>, Unavailable> {
        let mut tx = self.read_once("key_presence").await?;
        Ok(api_keys::presence(&mut tx, prefix).await?)
    }

    async fn touch_key(&self, id: ApiKeyId, now: Timestamp) -> Result<(), Unavailable> {
        let mut tx = self.begin("touch_api_key").await?;
        api_keys::touch(&mut tx, id, now).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
pub(crate) mod fake;
