//! A disk that is full or read-only, which only the daemon sees: the record says what is known, and nothing is half done.

use std::path::Path;

use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live};

use super::support::database::Backend::{Postgres, Sqlite};
use super::support::host::Host;
use super::support::mounts::apart;
use super::support::victim::Victim;

/// Where the disk is broken.
#[derive(Clone, Copy, Debug)]
enum Place {
    Config,
    State,
}

/// How it is broken; `$DIR` is the directory, whose contents are kept.
const FULL: &str = "used=$(du -sk --apparent-size \"$DIR\" | cut -f1)
    copy=$(mktemp -d) && cp -a \"$DIR/.\" \"$copy\" && mount -t tmpfs -o size=${used}k,mode=0755 tmpfs \"$DIR\"
    cp -a \"$copy/.\" \"$DIR\" && rm -rf \"$copy\"
    dd if=/dev/zero of=\"$DIR/fill\" bs=4k 2>/dev/null
    exec \"$@\"";
pub const READ_ONLY: &str =
    "mount --bind \"$DIR\" \"$DIR\" && mount -o remount,bind,ro \"$DIR\" && exec \"$@\"";

/// The daemon with a broken disk that nobody else sees.
pub fn daemon(host: &Host, broken: &str, directory: &Path, log: Option<&Path>) -> Victim {
    let mut command = apart(&host.command(&["serve"]), broken, directory);
    match log {
        Some(log) => Victim::logged(&mut command, log),
        None => Victim::spawn(&mut command),
    }
}

#[rstest]
#[case::config_full(Place::Config, FULL)]
#[case::config_read_only(Place::Config, READ_ONLY)]
#[case::state_full(Place::State, FULL)]
#[case::state_read_only(Place::State, READ_ONLY)]
#[tokio::test]
async fn a10_a_disk_that_is_full_or_read_only_is_named_and_leaves_what_was_live(
    #[case] place: Place,
    #[case] broken: &str,
) {
    let backend = if broken == FULL { Postgres } else { Sqlite };
    let mut host = Host::new(backend, 200).await;
    let directory = match place {
        Place::Config => host.config_dir(),
        Place::State => host.state_dir(),
    };
    let count = host.endpoints();
    let live = host.live().await;
    host.edit().await;
    let deployment = host.request().await;
    let ended = {
        let _daemon = daemon(&host, broken, &directory, None);
        host.ended(&deployment).await.0
    };
    assert_eq!(ended.status, Failed, "{ended:#?}");
    let message = &ended
        .findings
        .iter()
        .find(|finding| finding.is_error())
        .unwrap()
        .message;
    let named = match place {
        Place::Config => directory.display().to_string(),
        Place::State => "state directory".to_owned(),
    };
    assert!(
        message.contains(&named)
            && message.contains("Nothing was touched")
            && message.contains("then deploy again"),
        "{message}"
    );
    host.assert_well("a broken disk").await;
    assert_eq!((host.live().await, host.endpoints()), (live, count));
    // With a whole disk the same goes live.
    let again = host.request().await;
    assert_eq!(host.mended(&again).await.0.status, Live);
    host.assert_well("a whole disk").await;
}
