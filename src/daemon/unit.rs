//! The service as systemd runs it: whether it is one, and whether it may write where it has to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::domain::instance::{InstanceSettings, PbxKind};
use crate::driver::Check;

/// Its name.
const SERVICE: &str = "switchyard";
/// Where systemd looks for a unit, the operator's first.
const UNITS: [&str; 3] = [
    "/etc/systemd/system/switchyard.service",
    "/usr/lib/systemd/system/switchyard.service",
    "/lib/systemd/system/switchyard.service",
];
/// How long systemd may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What there is of a unit.
pub enum Unit {
    /// None is installed.
    Absent,
    /// The one of this file is enabled and active.
    Active(&'static str),
    /// It is not.
    Lacking {
        /// What systemd says.
        detail: String,
        /// What to do.
        mend: &'static str,
    },
}

/// Asks systemd for the unit.
pub async fn examine() -> Unit {
    let Some(unit) = UNITS.into_iter().find(|unit| Path::new(unit).exists()) else {
        return Unit::Absent;
    };
    for (question, mend) in [
        ("is-enabled", "type `systemctl enable switchyard`"),
        (
            "is-active",
            "type `systemctl start switchyard`, and read `journalctl -u switchyard`",
        ),
    ] {
        if let Err(said) = systemctl(&[question, SERVICE]).await {
            let detail = format!("{unit}: `systemctl {question}` says \"{said}\"");
            return Unit::Lacking { detail, mend };
        }
    }
    Unit::Active(unit)
}

/// What it says; `Err` where that means no.
async fn systemctl(arguments: &[&str]) -> Result<String, String> {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(PATIENCE, systemctl.output()).await {
        Ok(Ok(ended)) => {
            let said = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
            if ended.status.success() {
                Ok(said)
            } else {
                Err(said)
            }
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// Whether the running service may write into a directory, as far as its unit decides that; `None` where none runs here.
///
/// What it may write to is fixed when it is started: a directory that is made later is read-only to it, although its user
/// may write there, and whoever looks from outside sees nothing of that.
async fn may_write(directory: &Path) -> Option<Check> {
    writes("service_writes", directory).await
}

/// The same of a directory of recordings: where it may not, they can be played all the same.
async fn may_remove(recordings: &Path) -> Option<Check> {
    let check = writes("service_removes", recordings).await?;
    Some(Check { ok: true, ..check })
}

async fn writes(name: &'static str, directory: &Path) -> Option<Check> {
    let shown = systemctl(&["show", "--property=MainPID,ReadWritePaths", SERVICE])
        .await
        .ok()?;
    let service = Service::read(&shown)?;
    let place = fs::canonicalize(directory).ok()?;
    // One that has ended in between, or that this user may not look at, tells nothing.
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", service.process)).ok()?;
    let directory = directory.display();
    if is_writable(&mounts, &place)? {
        return Some(Check {
            name,
            ok: true,
            detail: format!("the running service may write to {directory}"),
            mend: None,
        });
    }
    let known = service.writes_to(&place);
    let (why, mend) = if known {
        ("was not there yet", format!("type `systemctl restart {SERVICE}`"))
    } else {
        (
            "is none of the unit's `ReadWritePaths`",
            format!(
                "with `systemctl edit {SERVICE}` have `ReadWritePaths={directory}` under [Service], then type `systemctl \
                 restart {SERVICE}`"
            ),
        )
    };
    Some(Check {
        name,
        ok: false,
        detail: format!(
            "the running service may not write to {directory}, whoever owns it: what it may write to was fixed when it was \
             started, and this {why}"
        ),
        mend: Some(mend),
    })
}

/// What of an instance's directories it may write to.
pub async fn may_write_of(settings: &InstanceSettings) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(directory) = settings.config_dir() {
        checks.extend(may_write(directory.as_path()).await);
    }
    if let Some(recordings) = settings.recordings_dir() {
        checks.extend(may_remove(recordings.as_path()).await);
    }
    if let Some(mail) = settings.voicemail_dir() {
        let check = writes("service_removes_mail", mail.as_path()).await;
        checks.extend(check.map(|check| of_mail(check, settings.kind())));
    }
    checks
}

/// A FreeSWITCH without FusionPBX removes what it lists itself.
fn of_mail(check: Check, kind: PbxKind) -> Check {
    Check {
        ok: check.ok || kind != PbxKind::FusionPbx,
        ..check
    }
}

/// Where it may not.
pub async fn shut_out(directory: &Path) -> Option<Check> {
    may_write(directory).await.filter(|check| !check.ok)
}

/// What systemd says of a running service.
struct Service {
    process: u32,
    read_write: Vec<PathBuf>,
}

impl Service {
    fn read(shown: &str) -> Option<Self> {
        let value = |key: &str| {
            let mut values = shown.lines().filter_map(|line| line.strip_prefix(key));
            values.next()?.strip_prefix('=')
        };
        let process: u32 = value("MainPID")?.parse().ok()?;
        let paths = value("ReadWritePaths").unwrap_or_default().split_whitespace();
        (process != 0).then(|| Self {
            process,
            // `-` lets it be absent, `+` looks for it below the service's own root.
            read_write: paths
                .map(|path| path.trim_start_matches(['-', '+']).into())
                .collect(),
        })
    }

    fn writes_to(&self, place: &Path) -> bool {
        let mut paths = self.read_write.iter();
        paths.any(|path| place.starts_with(fs::canonicalize(path).as_ref().unwrap_or(path)))
    }
}

/// Whether the file system that a process sees at a path takes anything, by the process's list of mounts; `None` where the
/// list does not tell.
fn is_writable(mounts: &str, place: &Path) -> Option<bool> {
    let mut deepest: Option<(usize, bool)> = None;
    for line in mounts.lines() {
        // `36 35 98:0 /root /mount/point options optional… - type source super-options`
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(4);
        let point = PathBuf::from(unescaped(fields.next()?));
        let has = |options: &str| options.split(',').any(|option| option == "rw");
        let writable = has(fields.next()?) && has(file_system.split(' ').nth(2)?);
        let depth = point.components().count();
        // Of two on one point the later one is what is seen.
        if place.starts_with(&point) && deepest.is_none_or(|(deepest, _)| depth >= deepest) {
            deepest = Some((depth, writable));
        }
    }
    deepest.map(|(_, writable)| writable)
}

/// The kernel writes a space as `\040`.
fn unescaped(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |point, (escaped, plain)| {
            point.replace(escaped, plain)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 8:1 / / ro,relatime shared:1 - ext4 /dev/sda1 rw\n\
        30 22 8:1 /var/lib/switchyard /var/lib/switchyard rw,relatime - ext4 /dev/sda1 rw\n\
        31 22 0:40 / /mnt/a\\040disk rw - nfs host:/ ro,vers=4\n\
        32 22 8:1 /etc/asterisk /etc/asterisk rw - ext4 /dev/sda1 rw\n\
        33 32 8:1 /etc/asterisk /etc/asterisk ro - ext4 /dev/sda1 rw\n";

    #[test]
    fn the_mount_that_is_seen_decides() {
        for (place, writable) in [
            ("/etc/switchyard", false),
            ("/var/lib/switchyard", true),
            ("/var/lib/switchyard/state", true),
            ("/var/lib/switchyard-other", false),
            ("/mnt/a disk/x", false),
            ("/etc/asterisk/switchyard", false),
        ] {
            assert_eq!(is_writable(MOUNTS, Path::new(place)), Some(writable), "{place}");
        }
        assert_eq!(is_writable("", Path::new("/")), None);
        assert_eq!(is_writable("nonsense", Path::new("/")), None);
    }

    #[test]
    fn only_of_a_fusionpbx_the_service_has_to_remove_messages_itself() {
        let shut = Check::bad(
            "service_removes_mail",
            "it may not write there".to_owned(),
            "let it",
        );
        for (kind, ok) in [(PbxKind::FusionPbx, false), (PbxKind::FreeSwitch, true)] {
            let told = of_mail(shut.clone(), kind);
            assert_eq!((told.ok, &told.mend), (ok, &shut.mend), "{kind:?}");
        }
        assert!(
            of_mail(
                Check::good("service_removes_mail", "it may".to_owned()),
                PbxKind::FusionPbx
            )
            .ok
        );
    }

    #[test]
    fn a_service_that_does_not_run_is_none() {
        assert!(Service::read("MainPID=0\nReadWritePaths=\n").is_none());
        assert!(Service::read("").is_none());
        let service = Service::read("MainPID=7\nReadWritePaths=-/nowhere/asterisk +/srv\n").unwrap();
        assert_eq!(service.process, 7);
        assert!(service.writes_to(Path::new("/nowhere/asterisk/switchyard")));
        assert!(service.writes_to(Path::new("/srv")));
        assert!(!service.writes_to(Path::new("/nowhere")));
    }
}
