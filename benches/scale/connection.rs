//! A connection to the daemon that stays open: as little work as a client can have, since it shares the cores.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Between headers and body.
const BLANK: &[u8] = b"\r\n\r\n";

/// A connection over which one request after the other is sent.
pub struct Connection {
    stream: TcpStream,
    /// The answer that was read last.
    answer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let answer = Vec::new();
        Ok(Self { stream, answer })
    }

    /// Sends a request and reads all of its answer, which must be a good one.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let mut wanted = None;
        while wanted.is_none_or(|wanted| self.answer.len() < wanted) {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(self.wrong("the answer ends early"));
            }
            if wanted.is_none() {
                wanted = self.whole()?;
            }
        }
        if self.answer.starts_with(b"HTTP/1.1 200 ") {
            Ok(())
        } else {
            Err(self.wrong("not answered 200"))
        }
    }

    /// The same with what the body says.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Value> {
        self.send(request).await?;
        let head = self.head().ok_or_else(|| self.wrong("no body"))?;
        let body = self.answer.get(head..).unwrap_or_default();
        serde_json::from_slice(body).map_err(|_| self.wrong("no JSON"))
    }

    /// The length of headers and blank line, once they are there.
    fn head(&self) -> Option<usize> {
        let found = self.answer.windows(BLANK.len()).position(|bytes| bytes == BLANK);
        found.map(|place| place + BLANK.len())
    }

    /// The length of the whole answer, once its headers are there.
    fn whole(&self) -> io::Result<Option<usize>> {
        let Some(head) = self.head() else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(self.answer.get(..head).unwrap_or_default());
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<usize>().ok())?
        });
        let length = length.ok_or_else(|| self.wrong("no length"))?;
        Ok(Some(head + length))
    }

    fn wrong(&self, what: &str) -> io::Error {
        io::Error::other(format!("{what}: {}", String::from_utf8_lossy(&self.answer)))
    }
}
