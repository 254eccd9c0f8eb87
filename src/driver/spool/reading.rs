//! A recording that is read piece by piece, each with a limit to how long the disk may take.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::Spool;
use super::asking::patiently;
use crate::domain::recording::RecordingPath;

/// Between two looks whether a directory still owes an answer.
const PAUSE: Duration = Duration::from_millis(100);

/// A recording or a message, open to be read from its beginning.
pub struct Sound {
    /// There until this is dropped.
    file: Option<Arc<File>>,
    directory: PathBuf,
    /// How long it was when it was opened.
    pub length: u64,
    read: u64,
}

impl Spool {
    /// Opens a recording as [`Self::open`] does, to be read from its beginning.
    pub async fn open_within(&self, path: &RecordingPath, longest: Duration) -> io::Result<Sound> {
        let (file, metadata) = self.open(path, longest).await?;
        Ok(Sound::of(file, metadata.len(), self.root.as_path().to_owned()))
    }
}

impl Sound {
    /// Of an open file, so long, in a directory whose disk is waited for.
    pub(in crate::driver) fn of(file: File, length: u64, directory: PathBuf) -> Self {
        Self {
            file: Some(Arc::new(file)),
            directory,
            length,
            read: 0,
        }
    }

    /// Of it no more than this is read: so many bytes behind so many.
    pub fn narrow(&mut self, behind: u64, size: u64) {
        self.length = self.length.min(behind.saturating_add(size));
        self.read = behind;
    }

    /// The next piece, no longer than this; empty at the end of what it was when it was opened. An error where it is shorter
    /// by now, or where no answer comes in that time.
    pub async fn next(&mut self, most: usize, longest: Duration) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length.saturating_sub(self.read)).unwrap_or(usize::MAX);
        let (at, size) = (self.read, left.min(most));
        let Some(file) = self.file.clone().filter(|_| size > 0) else {
            return Ok(Vec::new());
        };
        let piece = patiently(&self.directory, longest, move || {
            let mut piece = vec![0; size];
            file.read_exact_at(&mut piece, at).map(|()| piece)
        });
        let piece = piece.await?;
        self.read += u64::try_from(size).unwrap_or(u64::MAX);
        Ok(piece)
    }

    /// The same for who would break off otherwise: an answer that is late or owed to another is waited for, so long in all before
    /// the last question.
    pub async fn next_in_all(
        &mut self,
        most: usize,
        longest: Duration,
        in_all: Duration,
    ) -> io::Result<Vec<u8>> {
        let begun = Instant::now();
        loop {
            match self.next(most, longest).await {
                Err(error) if error.kind() == io::ErrorKind::TimedOut && begun.elapsed() < in_all => {
                    sleep(PAUSE).await;
                }
                piece => return piece,
            }
        }
    }
}

impl Drop for Sound {
    /// A disk that hangs may hold whoever closes the file.
    fn drop(&mut self) {
        let file = self.file.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;

    use super::*;

    const SHORT: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(20);

    /// Has a directory owe an answer until it is given one.
    async fn hang(directory: &'static Path) -> mpsc::Sender<()> {
        let (answer, answers) = mpsc::channel();
        let asked = patiently(directory, SHORT, move || answers.recv().map_err(io::Error::other));
        assert!(asked.await.is_err());
        answer
    }

    #[tokio::test]
    async fn a12_who_listens_goes_on_once_a_disk_has_answered_and_breaks_off_where_it_does_not() {
        let directory = Path::new("/no/such/record");
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let mut sound = Sound::of(file, 10, directory.to_owned());
        let answer = hang(directory).await;
        let refused = sound.next_in_all(6, LONG, PAUSE * 2).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        let (piece, ()) = tokio::join!(sound.next_in_all(6, LONG, LONG), async {
            sleep(PAUSE * 2).await;
            answer.send(()).unwrap();
        });
        assert_eq!(piece.unwrap().len(), 6);
        assert_eq!(sound.next_in_all(6, LONG, LONG).await.unwrap().len(), 4);
    }

    #[tokio::test]
    async fn a46_a_file_that_has_become_shorter_is_an_error_and_not_a_shorter_file() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let mut sound = Sound {
            file: Some(Arc::new(file.try_clone().unwrap())),
            directory: "/no/such/dir".into(),
            length: 10,
            read: 0,
        };
        assert_eq!(sound.next(6, LONG).await.unwrap().len(), 6);
        file.set_len(7).unwrap();
        assert!(sound.next(6, LONG).await.is_err());
        file.set_len(20).unwrap();
        assert_eq!(sound.next(6, LONG).await.unwrap().len(), 4);
        assert!(sound.next(6, LONG).await.unwrap().is_empty());
        for (behind, size, expected) in [(3, 4, 4), (8, 4, 2), (12, 4, 0), (0, u64::MAX, 6)] {
            sound.length = 10;
            sound.narrow(behind, size);
            assert_eq!(sound.next(6, LONG).await.unwrap().len(), expected, "{behind}");
        }
    }
}
