//! Asterisk's own files that do not lead to ours: told before anything is touched, with the line to put back.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Unchanged};
use switchyard::domain::deployment::{Stage, StageResult};
use switchyard::domain::finding::Finding;

use super::served::reloads;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::pbx::{Restarted, kill, pid};
use super::world::{Ended, World, operator};

/// What Asterisk did since the line was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Since {
    Nothing,
    Reload,
    Restart,
}

/// Asterisk's own file, less the line that leads to ours.
struct Own {
    path: PathBuf,
    whole: String,
}

impl Own {
    fn lose(world: &World, file: Artifact) -> Self {
        let path = world.pbx.home().join("etc").join(file.as_str());
        let whole = fs::read_to_string(&path).unwrap();
        let (without, line) = whole.rsplit_once("#tryinclude").unwrap();
        assert_eq!(line.lines().count(), 1, "it is the last line");
        fs::write(&path, without).unwrap();
        Self { path, whole }
    }

    fn put_back(self) {
        fs::write(self.path, self.whole).unwrap();
    }
}

fn line(world: &World, file: Artifact) -> String {
    format!("`#tryinclude {}/live/{file}`", world.config_dir().display())
}

/// The one error, which names file, line and command.
fn missing<'a>(world: &World, file: Artifact, findings: &'a [Finding]) -> &'a Finding {
    let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.is_error()).collect();
    let [error] = errors[..] else {
        panic!("{errors:#?}");
    };
    assert_eq!(
        (error.code.as_str(), error.object.as_deref()),
        ("include_missing", Some(file.as_str()))
    );
    for said in [
        format!("Asterisk's own {file} "),
        line(world, file),
        "`switchyard pbx install NAME`".to_owned(),
    ] {
        assert!(error.message.contains(&said), "{}", error.message);
    }
    error
}

/// It ended before the apply, and says so.
fn untouched<'a>(world: &World, file: Artifact, ended: &'a Ended) -> &'a str {
    let last = ended.stages().pop();
    assert_eq!(last, Some((Stage::Validating, Some(StageResult::Failed))));
    let message = &missing(world, file, &ended.deployment.findings).message;
    assert!(
        message.ends_with("then deploy again. Nothing was touched"),
        "{message}"
    );
    message
}

#[rstest]
#[case(Pjsip, Postgres)]
#[case(Extensions, Sqlite)]
#[case(Voicemail, Sqlite)]
#[tokio::test]
async fn a10_a_first_deploy_without_an_include_line_touches_nothing_and_names_the_line(
    #[case] file: Artifact,
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let own = Own::lose(&world, file);
    for _ in 0..2 {
        let (reloaded, ended) = reloads(&world, world.deploy(&acme)).await;
        let ended = ended.expect(Failed);
        assert!(untouched(&world, file, &ended).contains("serves nothing of it"));
        assert!(reloaded.is_empty(), "{reloaded:?}");
        assert_eq!((world.standing(), world.live().await), (Some(0), None));
    }
    own.put_back();
    world.deploy(&acme).await.expect(Live);
    assert!(world.is_verified(&acme).await && world.registers(&acme, &ann));
}

#[rstest]
#[case(Pjsip, Since::Nothing, Sqlite)]
#[case(Pjsip, Since::Reload, Postgres)]
#[case(Pjsip, Since::Restart, Sqlite)]
#[case(Extensions, Since::Nothing, Postgres)]
#[case(Extensions, Since::Reload, Sqlite)]
#[case(Extensions, Since::Restart, Sqlite)]
#[case(Voicemail, Since::Nothing, Sqlite)]
#[case(Voicemail, Since::Reload, Sqlite)]
#[case(Voicemail, Since::Restart, Postgres)]
#[tokio::test]
async fn a10_a_later_deploy_without_an_include_line_touches_nothing_and_names_the_line(
    #[case] file: Artifact,
    #[case] since: Since,
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let own = Own::lose(&world, file);
    let _again = happens(&world, file, since).await;
    let before = (world.files(), world.standing(), world.live().await);
    // Of all three files, whichever lost its line.
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    world.patch(&acme, &ann, json!({"ring_time": 33})).await;

    let looked = deployments::verify_instance(&world.app, &operator(), world.instance_id)
        .await
        .unwrap();
    let looked: Vec<Finding> = looked.findings;
    let told = looked.iter().find(|found| found.code == "include_missing");
    missing(&world, file, &[told.unwrap().clone()]);

    let (reloaded, ended) = reloads(&world, world.deploy(&acme)).await;
    let ended = ended.expect(Failed);
    let served = if since == Since::Nothing {
        "serves what it has read before"
    } else {
        "serves nothing of it"
    };
    let message = untouched(&world, file, &ended);
    assert!(message.contains(served), "{message}");
    assert!(reloaded.is_empty(), "{reloaded:?}");
    assert_eq!(
        (world.files(), world.standing(), world.live().await),
        before,
        "nothing is half applied"
    );
    if since == Since::Nothing {
        assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
        assert!(world.registers(&acme, &ann), "phones do not notice");
    }

    own.put_back();
    world.deploy(&acme).await.expect(Live);
    for (tenant, phone) in [(&acme, &ann), (&globex, &gina)] {
        assert!(world.is_verified(tenant).await && world.registers(tenant, phone));
    }
    world.deploy(&acme).await.expect(Unchanged);
}

/// Nobody edited anything: the line was lost, Asterisk was restarted, and the line was put back.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_is_not_unchanged_while_the_pbx_serves_something_else(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let own = Own::lose(&world, Pjsip);
    let _again = happens(&world, Pjsip, Since::Restart).await;
    assert!(!world.registers(&acme, &ann));
    untouched(&world, Pjsip, &world.deploy(&acme).await.expect(Failed));

    own.put_back();
    let (reloaded, ended) = reloads(&world, world.deploy(&acme)).await;
    let ended = ended.expect(Live);
    assert!(ended.codes().contains(&"not_read"), "{ended:#?}");
    assert_eq!(Vec::from_iter(reloaded), ["res_pjsip.so"]);
    assert!(world.is_verified(&acme).await && world.registers(&acme, &ann));
    world.deploy(&acme).await.expect(Unchanged);
}

/// A live file that cannot be parsed looks to Asterisk like one that nothing leads to: it is mended, not blamed.
#[tokio::test]
async fn a10_a_live_file_that_somebody_broke_is_not_taken_for_a_missing_line() {
    let world = World::new(Sqlite).await;
    let [(acme, _), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let text = fs::read_to_string(world.live_file(Pjsip)).unwrap();
    fs::write(world.live_file(Pjsip), text.replacen(']', "", 1)).unwrap();
    let ended = world.deploy(&acme).await.expect(Live);
    assert!(ended.codes().contains(&"drift"), "{ended:#?}");
    assert!(world.is_verified(&acme).await);
}

/// Where `sorcery.conf` names another file, it is that which must lead to ours.
#[tokio::test]
async fn a10_phones_that_are_read_from_another_file_are_no_missing_line() {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    drop(Own::lose(&world, Pjsip));
    let own = world.pbx.home().join("etc");
    let line = line(&world, Pjsip);
    fs::write(own.join("phones.conf"), format!("{}\n", line.trim_matches('`'))).unwrap();
    let mapping =
        ["endpoint", "auth", "aor"].map(|kind| format!("{kind}=config,phones.conf,criteria=type={kind}"));
    let mapping = format!("[res_pjsip]\n{}\n", mapping.join("\n"));
    fs::write(own.join("sorcery.conf"), mapping).unwrap();
    let _again = happens(&world, Pjsip, Since::Restart).await;
    world.deploy(&acme).await.expect(Live);
    assert!(world.is_verified(&acme).await && world.registers(&acme, &ann));
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    world.deploy(&acme).await.expect(Live);
}

async fn happens(world: &World, file: Artifact, since: Since) -> Option<Restarted> {
    match since {
        Since::Nothing => None,
        Since::Reload => {
            let module = file.module();
            world.pbx.ami().console(&format!("module reload {module}"));
            None
        }
        Since::Restart => {
            kill(pid(&world.pbx.home()));
            let again = Restarted::start(&world.pbx);
            let (_, driver) = world.engine.driver(world.instance_id).await.unwrap();
            let deadline = Instant::now() + Duration::from_secs(30);
            while let Err(error) = driver.ready().await {
                assert!(Instant::now() < deadline, "{}", error.full());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Some(again)
        }
    }
}
