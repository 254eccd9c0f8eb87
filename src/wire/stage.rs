//! What the tests of the protocols share: a scripted server, the tasks of a test, a stream that comes in pieces.

use std::time::Duration;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::codec::Decoder;
use tokio_util::sync::CancellationToken;

use super::link::{Connection, Protocol, Supervisor};

/// Long enough that only a failure waits for it.
pub const LONG: Duration = Duration::from_secs(20);
pub const SHORT: Duration = Duration::from_millis(150);

/// A server and the tasks of a test; all end with it.
pub struct Stage<C> {
    pub tasks: JoinSet<()>,
    pub config: C,
    pub stop: CancellationToken,
}

impl<C> Stage<C> {
    /// `script` plays each connection in turn; it is told the connection's number, from 0.
    pub async fn serve<P: From<TcpStream>, F: Future<Output = ()> + Send>(
        config: impl FnOnce(u16) -> C,
        mut script: impl FnMut(usize, P) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                script(number, P::from(stream)).await;
            }
        });
        Self {
            tasks,
            config: config(port),
            stop: CancellationToken::new(),
        }
    }

    /// Runs a connection until the stage ends.
    pub fn drive<P: Protocol>(&mut self, connection: Connection<P>) {
        let run = connection.run(self.stop.clone());
        self.tasks.spawn(async move {
            // The test looks at what its requests are told.
            let _ = run.await;
        });
    }

    /// Keeps a link up until the stage ends.
    pub fn keep_up<P: Protocol, R: FnMut() -> u32 + Send + 'static>(&mut self, supervisor: Supervisor<P, R>) {
        self.tasks.spawn(supervisor.run(self.stop.clone()));
    }
}

/// A port at which nobody listens.
pub async fn unused_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until `check` holds; fails loudly if it never does.
pub async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if check() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// Feeds the pieces as the network would, and reads to the end of the stream.
pub fn decode<'a, D: Decoder>(
    mut codec: D,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<D::Item>, D::Error> {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(frame) = codec.decode(&mut buffer)? {
            frames.push(frame);
        }
    }
    while let Some(frame) = codec.decode_eof(&mut buffer)? {
        frames.push(frame);
    }
    Ok(frames)
}
