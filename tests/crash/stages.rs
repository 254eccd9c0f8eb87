//! Killed in each stage there is.

use std::fs;
use std::time::{Duration, Instant};

use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};
use switchyard::domain::deployment::{Deployment, Stage, StageResult};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::host::Host;
use super::support::victim::Victim;

/// Enough that planning takes a while.
pub const EXTENSIONS: usize = 800;

/// A stage may pass before it is seen; then there is another deploy.
pub const TRIES: usize = 40;

/// What altered templates serve is not what was asked for, so that the deploy goes back.
pub const ALTERED: &str = "asterisk/pjsip.conf";

/// Requests a deploy; with altered templates one that goes back.
pub async fn request(host: &mut Host, altered: bool) -> Deployment {
    host.edit().await;
    if !altered {
        return host.request().await;
    }
    let whole = include_str!("../../templates/asterisk/pjsip.conf");
    let context = "context={{ tenant.domain }}";
    assert!(whole.contains(context));
    fs::write(
        host.template(ALTERED),
        whole.replacen(context, "context=other", 1),
    )
    .unwrap();
    host.request_platform().await
}

/// Stops a daemon in this stage of the deployment; whether the stage was met.
pub async fn stopped_in(host: &Host, daemon: &mut Victim, deployment: &Deployment, stage: Stage) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if host.open_stage(deployment).await == Some(stage) {
            daemon.stop();
            // It may have gone on before it was stopped.
            if host.open_stage(deployment).await == Some(stage) {
                return true;
            }
            daemon.go_on();
        }
        if host.record(deployment).await.0.status.is_end() {
            return false;
        }
    }
    panic!("{deployment:#?} does not end");
}

/// Starts a daemon and kills it in this stage of the deployment; whether the stage was met.
async fn killed_in(host: &Host, deployment: &Deployment, stage: Stage) -> bool {
    let mut victim = host.daemon();
    let met = stopped_in(host, &mut victim, deployment, stage).await;
    assert!(!met || victim.kill());
    met
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_daemon_that_is_killed_in_any_stage_leaves_nothing_to_mend_by_hand(#[case] backend: Backend) {
    let mut host = Host::new(backend, EXTENSIONS).await;
    let count = host.endpoints();
    for stage in Stage::ALL {
        let mut tries = 0;
        let killed = loop {
            let deployment = request(&mut host, *stage == Stage::RollingBack).await;
            if killed_in(&host, &deployment, *stage).await {
                break deployment;
            }
            tries += 1;
            assert!(tries < TRIES, "{stage} was never met");
        };
        host.assert_whole_on_disk(stage.as_str());
        let (ended, stages) = host.mended(&killed).await;
        let status = if *stage == Stage::RollingBack {
            RolledBack
        } else {
            Live
        };
        assert_eq!(ended.status, status, "{stage}: {ended:#?} {stages:#?}");
        let cut = stages
            .iter()
            .find(|record| record.result == Some(StageResult::Interrupted));
        assert_eq!(cut.map(|record| record.stage), Some(*stage), "{stages:#?}");
        host.assert_well(stage.as_str()).await;
        assert_eq!(host.endpoints(), count, "{stage}");
        let _ = fs::remove_file(host.template(ALTERED));
    }
}
