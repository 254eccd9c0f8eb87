//! The messages that are known of a tenant.

use switchyard::domain::tenant::Tenant;
use switchyard::domain::voicemail::{Voicemail, VoicemailQuery};
use switchyard::store::voicemail;

use super::world::World;

impl World {
    /// Oldest first.
    pub async fn messages(&self, tenant: &Tenant) -> Vec<Voicemail> {
        let mut tx = self.store.read("known").await.unwrap();
        let query = VoicemailQuery {
            mailbox: None,
            caller: None,
            after: None,
            most: 100,
        };
        voicemail::list(&mut tx, tenant.id, &query).await.unwrap()
    }

    /// Their callers; `-` of those that none is known of.
    pub async fn callers(&self, tenant: &Tenant) -> Vec<String> {
        let messages = self.messages(tenant).await.into_iter();
        messages
            .map(|message| {
                message
                    .found
                    .caller
                    .map_or("-".to_owned(), |caller| caller.to_string())
            })
            .collect()
    }
}
