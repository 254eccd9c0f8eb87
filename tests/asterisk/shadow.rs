//! The shadow: as whichever user, with and without a network of its own, leaving nothing behind, clear when it cannot.

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use switchyard::domain::artifact::Artifact;
use switchyard::driver::asterisk::{AsteriskDriver, Program, RunAs, Shadow};
use switchyard::driver::{DriverError, PbxDriver, Rehearsal};
use tempfile::TempDir;

use super::support::bench::{codes, staged_files};
use super::support::pbx::{open_directory, program};
use super::support::tenants::Texts;
use super::support::wait::until;

/// Set in the test that a test starts as another user or with another environment.
const WHERE: &str = "SWITCHYARD_TEST_SHADOW_DIRECTORY";

/// A driver for an Asterisk that is not there, with one staged generation: a rehearsal needs no more.
struct Staged {
    driver: AsteriskDriver,
    directory: PathBuf,
    _removed_at_the_end: Option<TempDir>,
}

impl Staged {
    async fn new(shadow: Program, texts: Texts) -> Self {
        let directory = open_directory();
        let staged = Self::in_directory(directory.path(), Shadow::new(shadow), texts).await;
        Self {
            _removed_at_the_end: Some(directory),
            ..staged
        }
    }

    async fn in_directory(directory: &Path, shadow: Shadow, texts: Texts) -> Self {
        // Files are for owner and group; the shadow's user is in the group.
        if rustix::process::geteuid().is_root() {
            let group = Some(RunAs::NOBODY.gid);
            std::os::unix::fs::chown(directory, None, group).unwrap();
            std::fs::set_permissions(directory, PermissionsExt::from_mode(0o2755)).unwrap();
        }
        let settings = serde_json::json!({
            "ami_host": "127.0.0.1", "ami_port": 1, "ami_username": "nobody", "config_dir": directory,
        });
        let settings = serde_json::from_value(settings).unwrap();
        let driver = AsteriskDriver::new(settings, String::new().into(), Some(shadow));
        driver.stage(1, staged_files(&texts)).await.unwrap();
        Self {
            driver,
            directory: directory.to_owned(),
            _removed_at_the_end: None,
        }
    }

    async fn rehearse(&self) -> Result<Rehearsal, DriverError> {
        self.driver.rehearse(1).await
    }
}

/// One endpoint, with whatever is added to it.
fn texts(added: &str) -> Texts {
    let pjsip = format!(
        "[1001@acme.example.com]\ntype=endpoint\ncontext=acme.example.com\ndisallow=all\nallow=ulaw\n{added}"
    );
    let extensions = "[acme.example.com]\nexten => 1001,1,Dial(PJSIP/1001@acme.example.com)\n";
    let voicemail = "[acme.example.com]\n1001 => -1234,Ann\n";
    Texts::from([
        (Artifact::Pjsip, pjsip),
        (Artifact::Extensions, extensions.to_owned()),
        (Artifact::Voicemail, voicemail.to_owned()),
    ])
}

/// The user that the shadow runs as when it is root who rehearses.
fn run_as() -> Option<RunAs> {
    rustix::process::geteuid().is_root().then_some(RunAs::NOBODY)
}

/// Shadows of any rehearsal on this machine that read files below a directory.
fn shadows_of(directory: &Path) -> Vec<PathBuf> {
    let needle = directory.display().to_string();
    let homes = std::fs::read_dir(std::env::temp_dir()).unwrap();
    homes
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let text = std::fs::read_to_string(path.join("etc/pjsip.conf")).unwrap_or_default();
            text.contains(&needle)
        })
        .collect()
}

/// Processes that were started with a directory in their words.
fn processes_with(directory: &Path) -> usize {
    let needle = directory.display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| std::fs::read(entry.unwrap().path().join("cmdline")).ok())
        .filter(|words| String::from_utf8_lossy(words).contains(&needle))
        .count()
}

/// What a rehearsal says of its network: none where this system lets the rehearsing user take it away.
fn network() -> &'static str {
    let namespace: &[&str] = if rustix::process::geteuid().is_root() {
        &["--net"]
    } else {
        &["--user", "--map-current-user", "--net"]
    };
    let tried = Command::new("unshare").args(namespace).arg("true").output();
    if tried.is_ok_and(|output| output.status.success()) {
        "without a network"
    } else {
        "with transports left out"
    }
}

/// Rehearses one good and one broken generation.
async fn tells_good_from_broken(directory: &Path, program: Program, network: &str) {
    for (name, added, expected) in [
        ("good", "", &[][..]),
        ("broken", "frobnicate=yes\n", &["asterisk_refused"; 2][..]),
    ] {
        let directory = directory.join(name);
        std::fs::create_dir(&directory).unwrap();
        let staged = Staged::in_directory(&directory, Shadow::new(program.clone()), texts(added)).await;
        let rehearsal = staged.rehearse().await.unwrap();
        assert_eq!(codes(&rehearsal.findings), expected, "{rehearsal:?}");
        assert!(rehearsal.detail.ends_with(network), "{}", rehearsal.detail);
    }
}

/// Runs a test of this file once more, as the words before it have it, where every user can get at it.
fn again(test: &str, before: &[&str], path: &OsStr) {
    let open = open_directory();
    let binary = open.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let place = open.path().join("place");
    std::fs::create_dir(&place).unwrap();
    std::fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
    let mut words = before.iter().map(OsStr::new).chain([binary.as_os_str()]);
    let output = Command::new(words.next().unwrap())
        .args(words)
        .args(["--exact", &format!("shadow::{test}"), "--nocapture"])
        .env(WHERE, &place)
        .env("PATH", path)
        .current_dir(open.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

fn place() -> Option<PathBuf> {
    std::env::var_os(WHERE).map(PathBuf::from)
}

fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap()
}

/// A PATH with the programs that a shadow needs, and without `unshare`.
fn path_without_unshare() -> TempDir {
    let directory = open_directory();
    for tool in ["setpriv", "sh", "true"] {
        let found = std::env::split_paths(&path())
            .map(|directory| directory.join(tool))
            .find(|path| path.exists())
            .unwrap();
        symlink(found, directory.path().join(tool)).unwrap();
    }
    directory
}

const AS_ORDINARY_USER: [&str; 5] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--",
];

/// Words before a program that make an ordinary user of root.
fn as_ordinary_user() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &AS_ORDINARY_USER
    } else {
        &[]
    }
}

#[tokio::test]
async fn an_ordinary_user_rehearses() {
    match place() {
        Some(place) => {
            assert!(!rustix::process::geteuid().is_root());
            tells_good_from_broken(&place, Program::new(program(), None), network()).await;
        }
        None => again("an_ordinary_user_rehearses", as_ordinary_user(), &path()),
    }
}

#[tokio::test]
async fn an_ordinary_user_rehearses_where_no_network_can_be_had() {
    match place() {
        Some(place) => {
            tells_good_from_broken(&place, Program::new(program(), None), "with transports left out").await;
        }
        None => again(
            "an_ordinary_user_rehearses_where_no_network_can_be_had",
            as_ordinary_user(),
            path_without_unshare().path().as_os_str(),
        ),
    }
}

#[tokio::test]
async fn whoever_runs_the_tests_rehearses() {
    let place = open_directory();
    tells_good_from_broken(
        place.path(),
        Program::new(program(), run_as()),
        "without a network",
    )
    .await;
}

#[tokio::test]
async fn whoever_runs_the_tests_rehearses_where_no_network_can_be_had() {
    match place() {
        Some(place) => {
            tells_good_from_broken(
                &place,
                Program::new(program(), run_as()),
                "with transports left out",
            )
            .await;
        }
        None => again(
            "whoever_runs_the_tests_rehearses_where_no_network_can_be_had",
            &[],
            path_without_unshare().path().as_os_str(),
        ),
    }
}

/// A good transport logs nothing, is opened by a reload, and stays open until Asterisk restarts.
#[tokio::test]
async fn a_smuggled_transport_is_named_and_never_opened() {
    if let Some(place) = place() {
        smuggle(&place).await;
        return;
    }
    smuggle(open_directory().path()).await;
    again(
        "a_smuggled_transport_is_named_and_never_opened",
        &[],
        path_without_unshare().path().as_os_str(),
    );
}

async fn smuggle(place: &Path) {
    let held = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let transport = format!("\n[smuggled]\nType => Transport\nprotocol=udp\nbind=127.0.0.1:{port}\n");
    let shadow = Shadow::new(Program::new(program(), run_as()));
    let staged = Staged::in_directory(place, shadow, texts(&transport)).await;
    // If the shadow tried to open it here, it would complain that it is taken.
    let findings = staged.rehearse().await.unwrap().findings;
    assert_eq!(codes(&findings), ["transport_in_template"], "{findings:?}");
    assert!(findings[0].message.contains("line 8"), "{findings:?}");
}

#[tokio::test]
async fn it_leaves_no_process_and_no_directory_behind() {
    let staged = Staged::new(Program::new(program(), run_as()), texts("")).await;
    staged.rehearse().await.unwrap();
    assert_eq!(shadows_of(&staged.directory), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn it_leaves_nothing_behind_when_it_is_given_up() {
    let staged = Staged::new(Program::new(program(), run_as()), texts("")).await;
    let mut seen = 0;
    // Given up ever later, until one rehearsal comes to its end.
    for wait in (0..).map(|step| Duration::from_millis(step * 15)) {
        let home = {
            let mut rehearsal = std::pin::pin!(staged.rehearse());
            if tokio::time::timeout(wait, &mut rehearsal).await.is_ok() {
                break;
            }
            shadows_of(&staged.directory)
        };
        assert_eq!(shadows_of(&staged.directory), Vec::<PathBuf>::new());
        for home in home {
            seen += 1;
            assert_eq!(processes_with(&home), 0, "given up after {wait:?}");
        }
    }
    assert!(seen > 0, "no rehearsal was given up while its shadow ran");
}

#[tokio::test]
async fn what_is_no_asterisk_is_told_so() {
    for (path, says) in [
        ("/bin/true", "is not an Asterisk"),
        ("/nowhere/asterisk", "there is no Asterisk at"),
    ] {
        let staged = Staged::new(Program::new(path.into(), run_as()), texts("")).await;
        let refused = staged.rehearse().await.unwrap_err();
        assert!(matches!(refused, DriverError::NotApplied { .. }), "{refused:?}");
        let told = refused.full();
        assert!(told.contains(path) && told.contains(says), "{told}");
        assert_eq!(shadows_of(&staged.directory), Vec::<PathBuf>::new());
    }
}

/// A program that calls itself Asterisk and then does something else.
fn pretender(directory: &Path, does: &str) -> Program {
    let path = directory.join("pretender");
    std::fs::write(
        &path,
        format!("#!/bin/sh\n[ \"$1\" = -V ] && echo Asterisk 22 && exit\n{does}\n"),
    )
    .unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    Program::new(path, run_as())
}

#[tokio::test]
async fn one_that_ends_at_once_is_quoted() {
    let directory = open_directory();
    let program = pretender(directory.path(), "echo it hurts >&2; exit 3");
    let told = Staged::new(program, texts(""))
        .await
        .rehearse()
        .await
        .unwrap_err()
        .full();
    assert!(told.contains("it hurts") && told.contains('3'), "{told}");
}

#[tokio::test]
async fn one_that_hangs_is_given_up() {
    let directory = open_directory();
    let program = pretender(directory.path(), "exec sleep 600");
    let shadow = Shadow::new(program).given_up_after(Duration::from_secs(1));
    let place = open_directory();
    let staged = Staged::in_directory(place.path(), shadow, texts("")).await;
    let begun = Instant::now();
    let told = staged.rehearse().await.unwrap_err().full();
    assert!(told.contains("not up within 1 s"), "{told}");
    assert!(begun.elapsed() < Duration::from_mins(1));
    assert_eq!(shadows_of(place.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn one_that_does_not_even_tell_its_version_is_given_up() {
    let directory = open_directory();
    let path = directory.path().join("asterisk");
    std::fs::write(&path, "#!/bin/sh\nexec sleep 601\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    let staged = Staged::new(Program::new(path, run_as()), texts("")).await;
    let told = staged.rehearse().await.unwrap_err().full();
    assert!(told.contains("`-V` was not answered within"), "{told}");
    until("nothing of it runs", || processes_with(directory.path()) == 0).await;
}

#[tokio::test]
async fn without_a_program_there_is_no_rehearsal() {
    let bare = AsteriskDriver::new(
        serde_json::from_value(serde_json::json!({
            "ami_host": "127.0.0.1", "ami_port": 1, "ami_username": "nobody", "config_dir": "/nowhere",
        }))
        .unwrap(),
        String::new().into(),
        None,
    );
    let told = bare.rehearse(1).await.unwrap_err().full();
    assert!(told.contains("no `asterisk` program"), "{told}");
}
