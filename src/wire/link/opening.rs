//! Opening a link within its time, to who has greeted first.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::AsyncRead;
use tokio::time::timeout;
use tokio_util::codec::{Decoder, FramedRead};

use super::Protocol;

/// Why a link is not opened, whatever is spoken on it. Neither is a no.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    #[error("{peer} at {address} did not finish the sign-in within {limit:?}")]
    TooLate {
        peer: &'static str,
        address: String,
        limit: Duration,
    },
    /// A tunnel does that while nobody is at its other end.
    #[error("{address} closed the connection without a word; does it lead to {peer}?")]
    NotGreeted { peer: &'static str, address: String },
}

/// One part of it, which is given up after `limit`.
pub async fn within<P: Protocol, T>(
    limit: Duration,
    address: String,
    attempt: impl Future<Output = Result<T, P::LinkError>>,
) -> Result<T, P::LinkError>
where
    P::LinkError: From<Unopened>,
{
    let peer = P::PEER;
    let in_time = timeout(limit, attempt).await;
    in_time.unwrap_or_else(|_| {
        let late = Unopened::TooLate { peer, address, limit };
        Err(late.into())
    })
}

/// The first that is read. Before it nobody knows who listens there, and who that is gets no secret.
pub async fn greeting<P: Protocol, D: Decoder>(
    reader: &mut FramedRead<impl AsyncRead + Unpin, D>,
    address: String,
) -> Result<D::Item, P::LinkError>
where
    P::LinkError: From<Unopened> + From<D::Error>,
{
    match reader.next().await {
        Some(read) => Ok(read?),
        None => Err(Unopened::NotGreeted {
            peer: P::PEER,
            address,
        }
        .into()),
    }
}
