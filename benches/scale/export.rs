//! An export of a tenant with many calls: how long it takes, and that the daemon's memory does not grow with it.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::interval;

use super::box_of_tenants::{EXTENSIONS, Shadow};
use super::daemon::Daemon;
use super::load::{request, sign_in};
use super::pbx::open_directory;
use super::purge::{TENANTS, fill};
use super::{Outcome, own_process};

/// Between two looks at the daemon's memory.
const LOOK: Duration = Duration::from_millis(100);
/// What is kept of the end of an archive: the manifest is there.
const TAIL: usize = 1 << 20;

pub fn measure(calls: &str) -> Outcome<()> {
    let directory = open_directory()?;
    let path = directory.path().display().to_string();
    writeln!(
        stdout(),
        "{calls} records of calls of one of {TENANTS} tenants with {EXTENSIONS} extensions each, on SQLite; one client reads as \
         fast as it can, on the same cores"
    )?;
    own_process(&["make", &path, TENANTS])?;
    own_process(&["people", &path])?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(fill(directory.path(), calls.parse()?))?;
    own_process(&["exported", &path])
}

/// Starts the daemon on it and reads an export of the tenant.
pub async fn exported(directory: &Path) -> Outcome<()> {
    let daemon = Daemon::start(directory, Shadow::Never).await?;
    let address = daemon.address().to_owned();
    let token = sign_in(&address, "owner0@example.com").await?;
    let before = daemon.memory("VmRSS")?;
    let begun = Instant::now();
    let by = format!("Authorization: Bearer {token}\r\nConnection: close\r\n");
    let mut stream = TcpStream::connect(&address).await?;
    let export = request("POST", "/api/v1/compliance/exports", &by, "{\"tenant\": true}");
    stream.write_all(&export).await?;
    let (mut read, mut tail, mut most) = (0, Vec::new(), before);
    let mut look = interval(LOOK);
    let mut piece = vec![0; 64 * 1024];
    loop {
        tokio::select! {
            got = stream.read(&mut piece) => {
                let got = piece.get(..got?).unwrap_or_default();
                if got.is_empty() {
                    break;
                }
                if read == 0 && !got.starts_with(b"HTTP/1.1 200 ") {
                    return Err(String::from_utf8_lossy(got).into());
                }
                read += got.len();
                tail.extend_from_slice(got);
                if tail.len() > 2 * TAIL {
                    tail.drain(..TAIL);
                }
            }
            _ = look.tick() => most = most.max(daemon.memory("VmRSS")?),
        }
    }
    let took = begun.elapsed();
    // The last file of one that came to its end.
    if !String::from_utf8_lossy(&tail).contains("switchyard-export") {
        return Err("it has no manifest".into());
    }
    writeln!(
        stdout(),
        "{} MB in {:.0} s; resident memory of the daemon: {before} kB before, {most} kB at most meanwhile, {} kB after",
        read / 1_000_000,
        took.as_secs_f64(),
        daemon.memory("VmRSS")?
    )?;
    daemon.stop().await
}
