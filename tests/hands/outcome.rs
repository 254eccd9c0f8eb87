//! What must be true of every request once all hands are still.

use std::collections::BTreeMap;

use jiff::Timestamp;
use switchyard::app::{deployments, operator};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Stage, StageRecord};
use switchyard::domain::page::PageRequest;

use super::office::{Office, Pressed};

/// Every record there is, by id.
pub type Records = BTreeMap<String, (Deployment, Vec<StageRecord>)>;

/// Each request has ended, with a record and an audit entry of its own; no two were carried out at once; what is recorded
/// as live stands on disk and runs.
pub async fn settled(office: &mut Office, what: &str) -> Records {
    let records = records(office).await;
    let pressed = office.pressed.lock().unwrap().clone();
    office.host.requests += pressed.len();
    assert_eq!(records.len(), office.host.requests, "{what}");
    for one in &pressed {
        let (deployment, _) = records.get(one.id()).unwrap_or_else(|| panic!("{what}: {one:?}"));
        assert!(
            deployment.status.is_end() && deployment.ended_at.is_some(),
            "{what}: {deployment:#?}"
        );
        said_the_same(one, deployment);
        if deployment.status == DeploymentStatus::Superseded {
            names_its_successor(deployment, &records);
        }
    }
    one_at_a_time(&records);
    office.watch.assert_one_at_a_time();
    office.host.assert_well(what).await;
    let verified = office
        .command(&["deploy", "verify", "--instance", "main"])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{what}: {verified:?}");
    records
}

pub async fn records(office: &Office) -> Records {
    let host = &office.host;
    let page = PageRequest::new(1, 100).unwrap();
    let caller = operator::platform(None);
    let listed = deployments::list_of_instance(&host.app, &caller, host.instance, page).await;
    let mut records = Records::new();
    for deployment in listed.unwrap().items {
        let record = host.record(&deployment).await;
        records.insert(deployment.id.to_string(), record);
    }
    records
}

/// The command's exit code and what it printed agree with the record.
fn said_the_same(pressed: &Pressed, deployment: &Deployment) {
    let code = match deployment.status {
        DeploymentStatus::Live | DeploymentStatus::Unchanged => 0,
        DeploymentStatus::Rejected => 6,
        DeploymentStatus::Partial => 10,
        DeploymentStatus::Superseded => 11,
        status => panic!("{status}: {pressed:#?}"),
    };
    let has_waited = pressed.code != 12;
    if has_waited {
        assert_eq!(
            (pressed.code, pressed.status()),
            (code, deployment.status),
            "{pressed:#?}"
        );
    }
}

fn names_its_successor(deployment: &Deployment, records: &Records) {
    let message = &deployment.findings[0].message;
    let (successor, _) = records
        .values()
        .find(|(other, _)| message.contains(&other.id.to_string()))
        .unwrap_or_else(|| panic!("{message}"));
    assert_eq!(successor.scope, deployment.scope, "{message}");
    assert!(
        (successor.created_at, successor.id) > (deployment.created_at, deployment.id),
        "{message}"
    );
}

/// From the beginning of an apply to the end of its proof, nobody else's is under way.
fn one_at_a_time(records: &Records) {
    let turn = |(deployment, stages): &(Deployment, Vec<StageRecord>)| {
        let begun = stages.iter().find(|stage| stage.stage == Stage::Applying)?;
        let ended = stages.last()?.ended_at.unwrap();
        Some((begun.started_at, ended, deployment.id))
    };
    let mut turns: Vec<(Timestamp, Timestamp, _)> = records.values().filter_map(turn).collect();
    turns.sort_unstable();
    for pair in turns.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two at once: {pair:#?}");
    }
}
