//! A writer of logs in which no event makes a second line or colours anything, whatever the texts in it hold.

use std::io;

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Makes such writers of others, to which each event is written at once.
pub(super) struct OneLine<W> {
    pub(super) writer: W,
    /// Where the log itself is coloured nothing tells its colours from others.
    pub(super) is_coloured: bool,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            writer: self.writer.make_writer(),
            is_coloured: self.is_coloured,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Line {
            writer: self.writer.make_writer_for(metadata),
            is_coloured: self.is_coloured,
        }
    }
}

/// A writer of one event.
pub(super) struct Line<W> {
    writer: W,
    is_coloured: bool,
}

impl<W: io::Write> io::Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (text, end) = match event {
            [text @ .., b'\n'] => (text, b"\n".as_slice()),
            text => (text, [].as_slice()),
        };
        let mut line = Vec::with_capacity(event.len());
        for c in String::from_utf8_lossy(text).chars() {
            match c {
                '\n' => line.extend_from_slice(b"\\n"),
                '\r' => line.extend_from_slice(b"\\r"),
                c if !c.is_control() || c == '\t' || c == '\x1b' && self.is_coloured => {
                    line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                // As JSON knows it too, whose text lets some of them stand.
                c => line.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            }
        }
        line.extend_from_slice(end);
        self.writer.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
