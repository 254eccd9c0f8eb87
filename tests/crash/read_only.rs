//! A directory that turns read-only to the daemon in the middle of a deploy, in each stage there is.

use std::fs;
use std::path::Path;

use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::{self, Failed, Live, RolledBack};
use switchyard::domain::deployment::{Deployment, Stage};

use super::disk;
use super::stages::{self, ALTERED, EXTENSIONS, TRIES};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::host::Host;
use super::support::mounts::make_read_only;

/// Mounts of its own, with nothing broken yet.
const WHOLE: &str = "exec \"$@\"";

/// What turns read-only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Config,
    State,
}

impl Place {
    /// How a deploy may end in which it happens in this stage: a stage may have done its part already.
    fn ends(self, stage: Stage) -> &'static [DeploymentStatus] {
        match (self, stage) {
            (_, Stage::Planning) | (Self::Config, Stage::Validating | Stage::Applying) => &[Failed, Live],
            (_, Stage::RollingBack) => &[RolledBack, Failed],
            // Everything was written that is needed.
            (Self::State, _) | (Self::Config, Stage::Verifying) => &[Live],
        }
    }
}

/// How a deploy ends in which a directory turns read-only in this stage, and what was live before; `None` where the stage
/// was not met.
async fn turned_in(host: &mut Host, directory: &Path, stage: Stage) -> Option<(Deployment, String)> {
    let live = host.live().await;
    let deployment = stages::request(host, stage == Stage::RollingBack).await;
    let mut daemon = disk::daemon(host, WHOLE, directory, None);
    if !stages::stopped_in(host, &mut daemon, &deployment, stage).await {
        return None;
    }
    make_read_only(daemon.pid(), directory);
    daemon.go_on();
    let (ended, stages) = host.ended(&deployment).await;
    assert!(stages.iter().all(|stage| stage.ended_at.is_some()), "{stages:#?}");
    Some((ended, live))
}

#[rstest]
#[case::config(Place::Config, Postgres)]
#[case::state(Place::State, Sqlite)]
#[tokio::test]
async fn a10_a_directory_that_turns_read_only_in_any_stage_ends_in_the_truth(
    #[case] place: Place,
    #[case] backend: Backend,
    #[values(true, false)] early: bool,
) {
    let mut host = Host::new(backend, EXTENSIONS).await;
    let count = host.endpoints();
    let directory = match place {
        Place::Config => host.config_dir(),
        Place::State => host.state_dir(),
    };
    // In halves, for each takes its time.
    let is_early = |stage: &Stage| matches!(stage, Stage::Planning | Stage::Validating);
    for stage in Stage::ALL
        .iter()
        .copied()
        .filter(|stage| is_early(stage) == early)
    {
        let mut tries = 0;
        let (ended, live) = loop {
            if let Some(met) = turned_in(&mut host, &directory, stage).await {
                break met;
            }
            tries += 1;
            assert!(tries < TRIES, "{stage} was never met");
        };
        assert!(place.ends(stage).contains(&ended.status), "{stage}: {ended:#?}");
        host.assert_whole_on_disk(stage.as_str());
        if ended.status == Failed {
            let mut errors = ended.findings.iter().filter(|finding| finding.is_error());
            let says = |part: &str| {
                ended
                    .findings
                    .iter()
                    .any(|finding| finding.message.contains(part))
            };
            assert!(
                errors.any(|finding| finding.message.contains("deploy again")),
                "{ended:#?}"
            );
            let known = if stage == Stage::RollingBack {
                "It is not known what the PBX serves now"
            } else {
                "Nothing was touched"
            };
            assert!(says(known), "{stage}: {ended:#?}");
            let named = match place {
                Place::Config => "Read-only file system",
                Place::State => "state directory",
            };
            assert!(says(named), "{stage}: {ended:#?}");
            assert_eq!(
                host.live().await,
                live,
                "{stage}: what was live is recorded as live"
            );
        }
        let _ = fs::remove_file(host.template(ALTERED));
        // With a whole disk the next one goes live, whatever this one left.
        host.edit().await;
        let again = host.request().await;
        let (again, stages) = host.mended(&again).await;
        assert_eq!(again.status, Live, "{stage}: {again:#?} {stages:#?}");
        host.assert_well(stage.as_str()).await;
        assert_eq!(host.endpoints(), count, "{stage}");
    }
}
