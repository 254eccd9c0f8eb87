//! A proxy before a PBX that a test cuts, holds, slows down, and has talk nonsense.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What happens on every connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// All goes through.
    Open,
    /// Connections break, and no other is let through.
    Cut,
    /// Nothing goes through any more, and nothing is closed.
    Held,
    /// Each piece from the PBX comes this late, or once it is slow no more.
    Slow(Duration),
    /// In place of what the PBX says comes as much that means nothing.
    Garbage,
}

/// Gone with the value.
pub struct Proxy {
    pub port: u16,
    way: Arc<watch::Sender<Way>>,
    _listening: JoinSet<()>,
}

impl Proxy {
    pub async fn before(pbx: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let shared = Arc::clone(&way);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let way = shared.subscribe();
                connections.spawn(relay(client, pbx, way));
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            port,
            way,
            _listening: listening,
        }
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn relay(mut client: TcpStream, pbx: u16, way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Cut {
        return;
    }
    let Ok(mut pbx) = TcpStream::connect(("127.0.0.1", pbx)).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_pbx, mut to_pbx) = pbx.split();
    let mut cut = way.clone();
    let up = async {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            pass(&mut way.clone()).await;
            if to_pbx.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from_pbx.read(&mut bytes).await {
            pass(&mut way.clone()).await;
            let now = *way.borrow();
            match now {
                Way::Slow(pause) => {
                    let _ = timeout(pause, way.clone().wait_for(|way| *way != now)).await;
                }
                Way::Garbage => bytes[..count].iter_mut().enumerate().for_each(|(index, byte)| {
                    *byte = b"\xff: \r\nEvent Hangup\n\0"[index % 19];
                }),
                _ => {}
            }
            if to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
        () = up => {}
        () = down => {}
    }
}

/// Waits while it is held.
async fn pass(way: &mut watch::Receiver<Way>) {
    let _ = way.wait_for(|way| *way != Way::Held).await;
}
