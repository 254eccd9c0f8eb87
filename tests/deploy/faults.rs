//! A manager interface or a database that breaks off, falls silent or talks nonsense at any point of a deploy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::App;
use switchyard::deploy::ShadowPolicy::Never;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, RolledBack};
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::driver::{AbsentExtension, DriverError, Expected, PbxDriver};
use tokio_util::sync::CancellationToken;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::relay::{Fault, Relay};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Phone, TestTenant, World, engine, options, record};

struct Faulty {
    world: World,
    relay: Arc<Relay>,
    app: App,
    acme: TestTenant,
    ann: Phone,
    globex: TestTenant,
    edits: usize,
}

impl Faulty {
    async fn new(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let relay = Arc::new(Relay::before(world.pbx.private.settings().ami_port));
        world
            .change_settings(|settings| settings.ami_port = relay.port)
            .await;
        let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
        world.deploy_platform().await.expect(Live);
        let (app, _) = world.impatient(Drivers::plain(&world.pbx));
        Self {
            world,
            relay,
            app,
            acme,
            ann,
            globex,
            edits: 0,
        }
    }

    async fn edit(&mut self) {
        self.edits += 1;
        let name = format!("Ann {}", self.edits);
        self.world
            .patch(&self.acme, &self.ann, json!({"name": name}))
            .await;
    }

    /// How many bytes the PBX sends in a deploy to whom nothing happens.
    async fn undisturbed(&mut self) -> u64 {
        self.edit().await;
        self.relay.set(Fault::None);
        self.world.deploy(&self.acme).await.expect(Live);
        self.relay.set(Fault::None)
    }

    /// What is said must be true, nothing half done, and the next deploy goes live without anybody's help.
    async fn survives(&mut self, fault: Fault) -> &'static str {
        let before = self.world.live().await;
        self.edit().await;
        self.relay.set(fault);
        let ended = self.world.deploy_with(&self.app, &self.acme).await;
        self.relay.set(Fault::None);
        let (live, standing) = (self.world.live().await, self.world.standing());
        assert_eq!(self.world.files().len(), 3, "{fault:?}");
        let met = match ended.status() {
            // The fault came later than everything that matters.
            Live => {
                assert_eq!(
                    (live, standing),
                    (ended.deployment.generation, live),
                    "{fault:?} {ended:#?}"
                );
                "live"
            }
            RolledBack => {
                assert_eq!((live, standing), (before, before), "{fault:?} {ended:#?}");
                "rolled back"
            }
            Failed => {
                assert_eq!(live, before, "{fault:?} {ended:#?}");
                ended.assert_tells_what_to_do();
                let known: Vec<_> = ended
                    .deployment
                    .findings
                    .iter()
                    .filter(|finding| finding.is_error())
                    .collect();
                assert!(!known.is_empty(), "{fault:?} {ended:#?}");
                if ended.codes().contains(&"state_unknown") {
                    assert!(
                        known
                            .iter()
                            .any(|finding| finding.message.contains("deploy again")),
                        "{known:#?}"
                    );
                    "unknown"
                } else {
                    // Nothing was touched, and it says so.
                    assert_eq!(standing, before, "{fault:?} {ended:#?}");
                    assert!(
                        known
                            .iter()
                            .all(|finding| finding.message.contains("Nothing was touched")),
                        "{known:#?}"
                    );
                    assert!(self.world.is_verified(&self.acme).await, "{fault:?}");
                    "untouched"
                }
            }
            status => panic!("{fault:?}: {status} {ended:#?}"),
        };
        self.world.deploy(&self.acme).await;
        let (live, standing) = (self.world.live().await, self.world.standing());
        assert_eq!(live, standing, "{fault:?}");
        for tenant in [&self.acme, &self.globex] {
            assert!(self.world.is_verified(tenant).await, "{fault:?}");
        }
        assert!(self.world.registers(&self.acme, &self.ann), "{fault:?}");
        met
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_manager_connection_that_is_cut_anywhere_leaves_the_truth(#[case] backend: Backend) {
    let mut faulty = Faulty::new(backend).await;
    let all = faulty.undisturbed().await;
    let mut met = Vec::new();
    for point in 0..10 {
        met.push(faulty.survives(Fault::Cut(all * point / 9)).await);
    }
    assert!(
        met.contains(&"untouched") && met.iter().any(|end| *end != "untouched"),
        "{met:?}"
    );
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_manager_connection_that_talks_nonsense_leaves_the_truth(#[case] backend: Backend) {
    let mut faulty = Faulty::new(backend).await;
    let all = faulty.undisturbed().await;
    for point in 0..4 {
        faulty.survives(Fault::Garbage(all * point / 4)).await;
    }
}

/// Half open: no byte comes, and nothing is closed.
#[rstest]
#[case::from_the_beginning(0)]
#[case::in_the_middle(60)]
#[tokio::test]
async fn a10_a_manager_connection_that_falls_silent_leaves_the_truth(#[case] percent: u64) {
    let mut faulty = Faulty::new(Sqlite).await;
    let all = faulty.undisturbed().await;
    faulty.survives(Fault::Silence(all * percent / 100)).await;
}

/// Makes the manager interface slow before the proof.
struct Slows(Arc<Relay>);

#[async_trait]
impl Witness for Slows {
    async fn at(&self, order: Order, moment: Moment) {
        if (order, moment) == (Order::Verify, Moment::Before) {
            self.0.set(Fault::Slow(Duration::from_millis(400)));
        }
    }
}

/// Each answer comes, none is ever given up on, and all of them together take too long.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_manager_interface_that_is_late_with_every_answer_proves_nothing(#[case] backend: Backend) {
    let mut faulty = Faulty::new(backend).await;
    let before = faulty.world.live().await;
    faulty.edit().await;
    let slows: Arc<dyn Witness> = Arc::new(Slows(Arc::clone(&faulty.relay)));
    let (app, _) = faulty
        .world
        .impatient(Drivers::witnessed(&faulty.world.pbx, slows));
    let ended = faulty.world.deploy_with(&app, &faulty.acme).await.expect(Failed);
    faulty.relay.set(Fault::None);
    let codes = ended.codes();
    assert!(
        codes.contains(&"not_proven") && codes.contains(&"state_unknown"),
        "{ended:#?}"
    );
    assert_eq!(
        (faulty.world.live().await, faulty.world.standing()),
        (before, before)
    );
    faulty.world.deploy(&faulty.acme).await.expect(Live);
    assert!(faulty.world.is_verified(&faulty.acme).await && faulty.world.is_verified(&faulty.globex).await);
}

/// Only a mailbox that is not there is answered by a success without a list.
#[tokio::test]
async fn a10_an_answer_that_lost_its_list_does_not_prove_that_something_is_gone() {
    let faulty = Faulty::new(Sqlite).await;
    let mut settings = faulty.world.pbx.private.settings().clone();
    settings.ami_port = faulty.relay.port;
    let secret = faulty.world.pbx.private.secret().clone();
    let driver = AsteriskDriver::new(settings, secret, None);
    let gone = Expected {
        absent: vec![AbsentExtension {
            tenant_id: faulty.acme.id,
            id: faulty.ann.extension.id,
            domain: faulty.acme.domain.clone(),
            number: faulty.ann.extension.number.clone(),
            is_removed: true,
        }],
        ..Expected::default()
    };
    let left = driver.verify(&gone).await.unwrap();
    assert_eq!(left.len(), 3, "endpoint, mailbox and dialplan: {left:?}");
    faulty.relay.set(Fault::Unlisted);
    let answer = driver.verify(&gone).await;
    assert!(matches!(answer, Err(DriverError::Unknown { .. })), "{answer:?}");
}

/// Whoever finds the database again finishes what was begun, or undoes it.
#[tokio::test]
async fn a10_a_database_that_is_gone_at_any_point_leaves_nothing_to_mend_by_hand() {
    let world = World::new(Postgres).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let relay = Relay::before(world.database.port());
    let store = world.database.store_behind(relay.port).await;
    let engine = engine(
        &world.pbx,
        &store,
        options(&world.pbx, Never),
        Drivers::plain(&world.pbx),
    );
    let stop = CancellationToken::new();
    let mut all = 0;
    let mut cut = 0;
    for point in 0..=13 {
        world
            .patch(&acme, &ann, json!({"name": format!("Ann {point}")}))
            .await;
        let request = world.request(&acme).await;
        // Two pass undisturbed. The second shows how much the database says at least, to whoever is connected already.
        let is_undisturbed = point < 2;
        relay.set(if is_undisturbed {
            Fault::None
        } else {
            Fault::Cut(all * (point - 2) / 12)
        });
        let worked = engine.work_off(world.instance_id, &stop).await;
        cut += u32::from(worked.is_err());
        let said = relay.set(Fault::None);
        if is_undisturbed {
            all = said;
        }
        for file in world.files().values() {
            assert!(file.2.contains("switchyard-marker"), "{point}");
        }
        let mut tries = 0;
        while !record(&world.app, &request).await.status().is_end() {
            let again = engine.work_off(world.instance_id, &stop).await;
            tries += 1;
            assert!(tries < 100, "{point}: {again:?}");
        }
        let ended = record(&world.app, &request).await.expect(Live);
        assert_eq!(
            (world.standing(), world.live().await),
            (ended.deployment.generation, world.standing()),
            "{point}"
        );
        assert!(
            world.is_verified(&acme).await && world.is_verified(&globex).await,
            "{point}"
        );
    }
    assert!(cut > 5, "only {cut} deploys lost their database");
}
