//! The search for recordings on a large disk: how long one takes that finds all and one that finds nothing new, and how much
//! memory each needs.

use std::fs::{File, create_dir_all};
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::Instant;

use switchyard::app::instances;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{RevisionId, SystemIds};
use switchyard::domain::instance::InstanceSettings;
use switchyard::monitor::recordings::search;
use switchyard::store::{domains, revisions};

use super::box_of_tenants::{self, Shadow, platform};
use super::memory::memory;
use super::pbx::open_directory;
use super::{Outcome, own_process};

/// Each has as many recordings as any other.
const TENANTS: &str = "200";
/// Has what a process needed at most begin anew with what it needs now.
const BEGIN_ANEW: &str = "5";

pub fn measure(files: &str) -> Outcome<()> {
    let directory = open_directory()?;
    let path = directory.path().display().to_string();
    own_process(&["make", &path, TENANTS])?;
    let runtime = tokio::runtime::Runtime::new()?;
    let made = runtime.block_on(record(directory.path(), files.parse()?))?;
    writeln!(
        stdout(),
        "{made} recordings of {TENANTS} tenants, on SQLite; each search in a process of its own"
    )?;
    own_process(&["recordings-searched", &path])?;
    own_process(&["recordings-searched", &path])
}

fn spool(directory: &Path) -> PathBuf {
    directory.join("recordings")
}

/// Has the tenants served, and leaves recordings of each of them; gives how many there are.
async fn record(directory: &Path, files: usize) -> Outcome<usize> {
    let opened = box_of_tenants::open(directory, Shadow::Never).await?;
    let mut tx = opened.parts.store.begin("revisions").await?;
    let served = domains::known_on(&mut tx, opened.instance().await?).await?;
    for (tenant, _) in &served {
        let head = revisions::head(&mut tx, *tenant)
            .await?
            .ok_or("a tenant has gone")?;
        // What is older than this is nobody's.
        revisions::take(
            &mut tx,
            *tenant,
            &head,
            RevisionId::fresh(&SystemIds),
            SystemClock.now(),
        )
        .await?;
    }
    tx.commit().await?;
    let of_each = files / served.len();
    for (_, domain) in &served {
        let own = spool(directory).join(domain.as_str());
        create_dir_all(&own)?;
        for number in 0..of_each {
            File::create(own.join(format!("1790000000.{number}.wav")))?;
        }
    }
    Ok(of_each * served.len())
}

/// Looks at all of them once.
pub async fn searched(directory: &Path) -> Outcome<()> {
    let opened = box_of_tenants::open(directory, Shadow::Never).await?;
    let store = &opened.parts.store;
    let mut all = instances::list(&opened.parts.app, &platform()).await?;
    let mut instance = all.pop().ok_or("no instance")?;
    if let InstanceSettings::Asterisk(settings) = &mut instance.settings {
        settings.recordings_dir = Some(spool(directory).display().to_string().parse()?);
    }
    let own = std::process::id();
    std::fs::write("/proc/self/clear_refs", BEGIN_ANEW)?;
    let before = memory(own, "VmRSS")?;
    let begun = Instant::now();
    let searched = search(store, &SystemIds, &instance).await?;
    let took = begun.elapsed();
    let most = memory(own, "VmHWM")?.saturating_sub(before);
    writeln!(
        stdout(),
        "{} new, {} gone: {:.1} s; resident memory {before} kB before, {most} kB more at most",
        searched.kept,
        searched.lost,
        took.as_secs_f64()
    )?;
    Ok(())
}
