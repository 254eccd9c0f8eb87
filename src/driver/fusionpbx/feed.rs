//! What a FusionPBX tells by itself: its FreeSWITCH's event socket, and the table that it writes calls into afterwards.

use async_trait::async_trait;

use super::archive::CallArchive;
use crate::domain::instance::FusionPbxSettings;
use crate::domain::instance_secrets::InstanceSecrets;
use crate::driver::event_socket::SocketFeed;
use crate::driver::feed::{Archive, Feed, News, Poll};

/// The feed of one FusionPBX.
pub struct FusionPbxFeed {
    socket: SocketFeed,
    settings: FusionPbxSettings,
    secrets: InstanceSecrets,
}

impl FusionPbxFeed {
    /// Begins to connect to the event socket; `None` where its password cannot be sent. `chance` spreads tries that follow
    /// each other.
    pub fn open(
        settings: &FusionPbxSettings,
        secrets: InstanceSecrets,
        chance: impl FnMut() -> u32 + Send + 'static,
    ) -> Option<Self> {
        let (host, port) = (&settings.event_socket_host, settings.event_socket_port);
        Some(Self {
            socket: SocketFeed::open(host, port, &secrets.control, chance)?,
            settings: settings.clone(),
            secrets,
        })
    }
}

#[async_trait]
impl Feed for FusionPbxFeed {
    async fn next(&mut self) -> Option<News> {
        self.socket.next().await
    }

    fn poll(&self) -> Box<dyn Poll> {
        self.socket.poll()
    }

    fn archive(&self) -> Option<Box<dyn Archive>> {
        Some(Box::new(CallArchive::new(&self.settings, &self.secrets)))
    }
}
