//! What a FusionPBX tells of its calls and phones: its FreeSWITCH by the event socket, and of what that told to nobody its
//! database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::database::Database;
use super::note::Owner;
use super::past::Records;
use crate::domain::ids::InstanceId;
use crate::domain::instance::FusionPbxSettings;
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::leg::{Contact, Leg};
use crate::driver::DriverError;
use crate::driver::event_socket::SocketFeed;
use crate::driver::feed::{Feed, News, Past, Poll};

/// FusionPBX writes a row some seconds after its leg is over: so long after the link is back the rows are read.
const WRITTEN: Duration = Duration::from_secs(15);

/// The feed of one FusionPBX.
pub struct FusionPbxFeed {
    socket: SocketFeed,
    records: Arc<Records>,
}

impl FusionPbxFeed {
    /// Begins to connect to the event socket; `None` where its password cannot be sent. `chance` spreads tries that follow
    /// each other.
    pub fn open(
        id: InstanceId,
        settings: &FusionPbxSettings,
        secrets: &InstanceSecrets,
        chance: impl FnMut() -> u32 + Send + 'static,
    ) -> Option<Self> {
        Self::open_with(id, settings, secrets, WRITTEN, chance)
    }

    /// The same where FusionPBX writes a row within another time after its leg is over.
    pub fn open_with(
        id: InstanceId,
        settings: &FusionPbxSettings,
        secrets: &InstanceSecrets,
        written: Duration,
        chance: impl FnMut() -> u32 + Send + 'static,
    ) -> Option<Self> {
        let (host, port) = (&settings.event_socket_host, settings.event_socket_port);
        let socket = SocketFeed::open(host, port, &secrets.control, chance)?;
        let database = Database::new(settings, secrets.database.as_ref());
        let records = Arc::new(Records::new(database, Owner::new(id.uuid()), written));
        Some(Self { socket, records })
    }
}

#[async_trait]
impl Feed for FusionPbxFeed {
    async fn next(&mut self) -> Option<News> {
        self.socket.next().await
    }

    fn poll(&self) -> Box<dyn Poll> {
        Box::new(FusionPbxPoll {
            socket: self.socket.poll(),
            records: Arc::clone(&self.records),
        })
    }
}

struct FusionPbxPoll {
    socket: Box<dyn Poll>,
    records: Arc<Records>,
}

#[async_trait]
impl Poll for FusionPbxPoll {
    fn lag(&self) -> Duration {
        self.socket.lag()
    }

    async fn legs(&self, now: Timestamp) -> Result<Vec<Leg>, DriverError> {
        self.socket.legs(now).await
    }

    async fn hears_calls(&self) -> Option<bool> {
        self.socket.hears_calls().await
    }

    async fn ended_since(&self, since: Timestamp) -> Option<Past> {
        self.records.since(since).await
    }

    async fn contacts(&self) -> Result<Vec<Contact>, DriverError> {
        self.socket.contacts().await
    }
}
