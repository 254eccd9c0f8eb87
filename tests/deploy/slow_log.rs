//! Asterisk's log as a test lets it through, for what reads it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::sleep;

/// Asterisk's log as it arrives on a slow disk: nothing, until it is let through.
pub struct SlowLog {
    from: PathBuf,
    to: PathBuf,
    read: Mutex<u64>,
}

impl SlowLog {
    /// From now on.
    pub fn of(from: &Path, to: &Path) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            read: Mutex::new(fs::metadata(from).unwrap().len()),
        }
    }

    /// What has come since the last time.
    pub fn fresh(&self) -> String {
        let mut read = self.read.lock().unwrap();
        let mut file = File::open(&self.from).unwrap();
        file.seek(SeekFrom::Start(*read)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text.truncate(whole);
        *read += u64::try_from(whole).unwrap();
        text
    }

    pub fn pass(&self, text: &str) {
        let mut to = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.to)
            .unwrap();
        to.write_all(text.as_bytes()).unwrap();
    }

    /// Lets everything through that comes, for ever.
    pub async fn flow(&self) {
        loop {
            self.pass(&self.fresh());
            sleep(Duration::from_millis(5)).await;
        }
    }
}
