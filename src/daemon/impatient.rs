//! A connection that breaks off when its peer takes nothing of what is written for too long.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Reads and writes like the stream inside; a write that makes no progress for the whole patience is an error.
///
/// Where nothing is written, nothing is late: who waits for an answer may do so for long.
pub struct Impatient<S> {
    stream: S,
    patience: Duration,
    /// Runs from the first write that could not go on to the next that does.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    pub const fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stuck: None,
        }
    }

    fn progress(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let patience = self.patience;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stuck.as_mut().poll(context));
        let reason = "the client takes nothing of what it asked for";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, reason)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.progress(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn a_write_that_nobody_takes_ends() {
        let (ours, _theirs) = duplex(16);
        let mut stream = Impatient::new(ours, PATIENCE);
        let written = timeout(Duration::from_secs(20), stream.write_all(&[0; 17]));
        let error = written.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_takes_little_at_a_time_gets_all_of_it() {
        let (ours, mut theirs) = duplex(16);
        let mut stream = Impatient::new(ours, PATIENCE);
        let write = async {
            stream.write_all(&[7; 160]).await.unwrap();
            drop(stream);
        };
        let read = async {
            let (mut all, mut part) = (Vec::new(), [0; 16]);
            loop {
                sleep(PATIENCE / 4).await;
                match theirs.read(&mut part).await.unwrap() {
                    0 => return all,
                    read => all.extend_from_slice(&part[..read]),
                }
            }
        };
        let ((), all) = timeout(Duration::from_secs(20), async { tokio::join!(write, read) })
            .await
            .unwrap();
        assert_eq!(all, [7; 160]);
    }
}
