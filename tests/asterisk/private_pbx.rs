//! The private PBX: started, seen from outside, stopped, gone with its owner, and clear about what it lacks.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use switchyard::daemon::private_pbx::{Options, PrivatePbx, StartError};
use switchyard::domain::random::SystemRandom;
use switchyard::driver::asterisk::ProgramError;

use super::support::ami::{Ami, field};
use super::support::pbx::{Pbx, closed_directory, kill, open_directory, pid, program, runs};
use super::support::wait::{came, until};

const OWNED: &str = "SWITCHYARD_TEST_OWNED_DIRECTORY";

fn options(directory: &Path) -> Options {
    Options {
        directory: directory.to_owned(),
        program: Some(program()),
    }
}

async fn start(directory: &Path) -> PrivatePbx {
    PrivatePbx::start(&options(directory), &SystemRandom)
        .await
        .unwrap()
}

async fn refused(options: &Options) -> StartError {
    PrivatePbx::start(options, &SystemRandom).await.err().unwrap()
}

#[tokio::test]
async fn it_is_up_when_start_returns_and_gone_after_stop() {
    let directory = open_directory();
    let private = start(directory.path()).await;
    let pid = pid(directory.path());
    let status = Ami::outside(&private).ask("CoreStatus", &[]);
    assert_eq!(field(&status, "Response"), Some("Success"));
    assert!(runs(pid));
    private.stop().await;
    assert!(!runs(pid));
}

#[tokio::test]
async fn it_has_nothing_to_complain_about() {
    let pbx = Pbx::start().await;
    let log = std::fs::read_to_string(pbx.home().join("log/warnings")).unwrap();
    // The first line of every log is the version.
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn sip_is_open_on_loopback_only() {
    let pbx = Pbx::start().await;
    let transports = pbx.ami().console("pjsip show transports").join("\n");
    let sip = pbx.private.sip();
    assert!(sip.ip().is_loopback());
    assert_eq!(transports.matches(&sip.to_string()).count(), 2, "{transports}");
    assert_eq!(transports.matches("Transport:  <").count(), 1, "{transports}");
    assert_eq!(
        transports.matches("Transport:  transport-").count(),
        2,
        "{transports}"
    );
}

#[tokio::test]
async fn it_never_runs_as_root_and_cannot_write_our_files() {
    let pbx = Pbx::start().await;
    let home = pbx.home();
    let runs_as = std::fs::metadata(format!("/proc/{}", pid(&home))).unwrap();
    assert_ne!(runs_as.uid(), 0);
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for ours in ["etc", "config"] {
        let metadata = std::fs::metadata(home.join(ours)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (0, runs_as.gid()), "{ours}");
        assert_eq!(metadata.mode() & 0o7777, 0o2750, "{ours}");
    }
}

#[tokio::test]
async fn it_runs_as_the_ordinary_user_whose_directory_it_is() {
    if !rustix::process::geteuid().is_root() {
        // Then there is no other user to run as.
        let pbx = Pbx::start().await;
        assert!(pbx.private.program().run_as().is_none());
        return;
    }
    let directory = open_directory();
    std::os::unix::fs::chown(directory.path(), Some(4711), Some(4712)).unwrap();
    let private = start(directory.path()).await;
    let runs_as = std::fs::metadata(format!("/proc/{}", pid(directory.path()))).unwrap();
    assert_eq!((runs_as.uid(), runs_as.gid()), (4711, 4712));
    private.stop().await;
}

#[tokio::test]
async fn a_directory_serves_one_at_a_time_and_again_later() {
    let directory = open_directory();
    let first = start(directory.path()).await;
    let kept = directory.path().join("config/kept");
    std::fs::write(&kept, "x").unwrap();
    let second = refused(&options(directory.path())).await;
    assert!(matches!(second, StartError::InUse { .. }), "{second}");
    let first_pid = pid(directory.path());
    first.stop().await;
    let again = start(directory.path()).await;
    assert_ne!(pid(directory.path()), first_pid);
    assert!(kept.exists());
    again.stop().await;
}

#[tokio::test]
async fn it_outlives_the_thread_that_asked_for_it() {
    let directory = open_directory();
    let options = options(directory.path());
    let private = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(PrivatePbx::start(&options, &SystemRandom))
            .unwrap()
    })
    .join()
    .unwrap();
    let pid = pid(directory.path());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(runs(pid));
    private.stop().await;
    assert!(!runs(pid));
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    let directory = open_directory();
    drop(start(directory.path()).await);
    let pid = pid(directory.path());
    until("the dropped PBX has ended", || !runs(pid)).await;
}

#[tokio::test]
async fn its_own_end_is_noticed() {
    let mut pbx = Pbx::start().await;
    kill(pid(&pbx.home()));
    let how = tokio::time::timeout(Duration::from_secs(30), pbx.private.ended())
        .await
        .unwrap();
    assert!(how.contains("signal: 9"), "{how}");
}

/// The test starts itself a second time as the owner, and kills that.
#[tokio::test]
async fn it_dies_with_an_owner_that_is_killed() {
    if let Some(directory) = std::env::var_os(OWNED) {
        let _private = start(Path::new(&directory)).await;
        std::fs::write(Path::new(&directory).join("ready"), "").unwrap();
        std::future::pending::<()>().await;
    }
    let directory = open_directory();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "private_pbx::it_dies_with_an_owner_that_is_killed",
            "--nocapture",
        ])
        .env(OWNED, directory.path())
        .spawn()
        .unwrap();
    let ready = directory.path().join("ready");
    until("the owner is ready", || ready.exists()).await;
    let pid = pid(directory.path());
    assert!(runs(pid));
    owner.kill().unwrap();
    owner.wait().unwrap();
    let ended = came(|| !runs(pid)).await;
    if !ended {
        kill(pid);
    }
    assert!(ended, "the PBX of a killed owner lives on");
}

#[tokio::test]
async fn a_program_that_is_none_is_told_with_what_to_do() {
    let directory = open_directory();
    let mut options = options(directory.path());
    options.program = Some("/nowhere/asterisk".into());
    let missing = refused(&options).await.to_string();
    assert!(
        missing.contains("/nowhere/asterisk") && missing.contains("scripts/get-asterisk DIR"),
        "{missing}"
    );
    options.program = Some("/bin/true".into());
    let other = refused(&options).await;
    assert!(
        matches!(other, StartError::Program(ProgramError::Other { .. })),
        "{other}"
    );
}

#[tokio::test]
async fn what_is_closed_to_its_user_is_named() {
    if !rustix::process::geteuid().is_root() {
        // Nothing is closed to the one who made it; what is closed to others is another test's matter.
        let directory = open_directory();
        start(directory.path()).await.stop().await;
        return;
    }
    let closed = closed_directory();
    let shut = closed.path().display().to_string();

    let directory = refused(&options(&closed.path().join("pbx"))).await.to_string();
    assert!(directory.contains(&shut), "{directory}");

    let inside = closed.path().join("asterisk");
    std::fs::copy(program(), &inside).unwrap();
    let open = open_directory();
    let mut options = options(open.path());
    options.program = Some(inside);
    let program = refused(&options).await.to_string();
    assert!(
        program.contains(&shut) && program.contains("scripts/get-asterisk"),
        "{program}"
    );
}

#[tokio::test]
async fn a_failed_boot_quotes_asterisk() {
    let directory = open_directory();
    let script = directory.path().join("asterisk");
    let text = "#!/bin/sh\n[ \"$1\" = -V ] && echo Asterisk 22 && exit\necho it hurts >&2\nexit 3\n";
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut options = options(&directory.path().join("pbx"));
    options.program = Some(script);
    let ended = refused(&options).await;
    assert!(matches!(ended, StartError::Ended { .. }), "{ended}");
    assert!(
        ended.to_string().contains("it hurts") && ended.to_string().contains('3'),
        "{ended}"
    );
}
