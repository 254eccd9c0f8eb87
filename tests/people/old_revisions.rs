//! What was deployed of people who are gone goes by itself, once nothing needs it.

use std::time::Duration;

use rstest::rstest;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{extensions, revisions};
use switchyard::daemon::forgetting;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{RevisionId, SystemIds};
use switchyard::domain::tenant::Tenant;
use switchyard::store::{self, tenants};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

impl World {
    /// Takes the head as a deploy does.
    async fn take_head(&self, tenant: &Tenant) {
        let mut tx = self.store.begin("take_head").await.unwrap();
        let (fresh, now) = (RevisionId::fresh(&SystemIds), SystemClock.now());
        let taken = store::revisions::take_head(&mut tx, tenant.id, fresh, now).await;
        assert!(taken.unwrap().is_some());
        tx.commit().await.unwrap();
    }

    /// The numbers of all revisions, with how many extensions each has.
    async fn revisions(&self) -> Vec<String> {
        let extensions = match self.bench.backend {
            Sqlite => "json_array_length(r.config, '$.extensions')",
            Postgres => "jsonb_array_length(r.config -> 'extensions')",
        };
        let sql = format!(
            "select t.name || ' ' || cast(r.number as text) || ': ' || cast({extensions} as text) \
             from revisions r join tenants t on t.id = r.tenant_id order by 1"
        );
        self.texts(&sql).await
    }
}

/// By the daemon's own upkeep, again and again; what is needed stays.
#[rstest]
#[tokio::test]
async fn a20_what_was_deployed_of_somebody_whose_extension_is_gone_is_removed_by_itself(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let own = world.extension(&caller, "1001").await.unwrap();
    world.take_head(&world.acme).await;
    world.take_head(&world.globex).await;
    extensions::delete(&world.app, &caller, own.id, &IfMatch::Any)
        .await
        .unwrap();
    world.take_head(&world.acme).await;
    assert_eq!(world.revisions().await, ["Acme 1: 1", "Acme 2: 0", "Globex 1: 0"]);
    let stop = CancellationToken::new();
    let upkeep = forgetting::run(world.app.clone(), Duration::from_millis(20), stop.clone());
    let looking = async {
        while world.revisions().await.len() == 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // A later turn finds nothing that it may take.
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    };
    let (done, ()) = timeout(Duration::from_secs(30), async { tokio::join!(upkeep, looking) })
        .await
        .unwrap();
    done.unwrap();
    assert_eq!(world.revisions().await, ["Acme 2: 0", "Globex 1: 0"]);
}

#[rstest]
#[tokio::test]
async fn a20_all_that_nothing_needs_goes_tenant_by_tenant_and_more_than_one_portion(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    for tenant in [&world.acme, &world.globex] {
        let owner = format!("owner-{}", tenant.name.as_str().to_lowercase());
        let owner = world.person(&owner, tenant, "owner").await;
        let caller = world.caller(&owner.token).await;
        for number in 1001..1024 {
            world.take_head(tenant).await;
            world.extension(&caller, &number.to_string()).await.unwrap();
        }
        world.take_head(tenant).await;
    }
    let (go_on, stopped) = (CancellationToken::new(), CancellationToken::new());
    stopped.cancel();
    let forgotten = async |stop| revisions::forget_unneeded(&world.app, stop).await.unwrap();
    assert_eq!(forgotten(&stopped).await, 0);
    assert_eq!(world.revisions().await.len(), 48);
    assert_eq!(forgotten(&go_on).await, 46);
    assert_eq!(world.revisions().await, ["Acme 24: 23", "Globex 24: 23"]);
    assert_eq!(forgotten(&go_on).await, 0);
}

/// By its head it is needed again, which nobody else sees before the end.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a20_what_is_being_taken_as_a_head_again_is_waited_for_and_stays(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    world.take_head(&world.acme).await;
    let added = world.extension(&caller, "1001").await.unwrap();
    extensions::delete(&world.app, &caller, added.id, &IfMatch::Any)
        .await
        .unwrap();
    let mut tx = world.store.begin("take_head").await.unwrap();
    let (fresh, now) = (RevisionId::fresh(&SystemIds), SystemClock.now());
    let taken = store::revisions::take_head(&mut tx, world.acme.id, fresh, now).await;
    assert_ne!(taken.unwrap().unwrap(), fresh, "it equals what was taken before");
    let stop = CancellationToken::new();
    let takes = async {
        world.bench.others_wait().await;
        tx.commit().await.unwrap();
    };
    let (forgotten, ()) = tokio::join!(revisions::forget_unneeded(&world.app, &stop), takes);
    assert_eq!(forgotten.unwrap(), 0);
    assert_eq!(world.revisions().await, ["Acme 1: 0"]);
}

/// The writer of SQLite, and on PostgreSQL the tenant, is somebody else's all the while.
#[rstest]
#[tokio::test]
async fn a20_where_nothing_is_to_go_nothing_is_written_and_nobody_waited_for(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.take_head(&world.acme).await;
    let mut tx = world.store.begin("hold").await.unwrap();
    assert!(tenants::lock(&mut tx, world.acme.id).await.unwrap());
    let stop = CancellationToken::new();
    let forgotten = revisions::forget_unneeded(&world.app, &stop);
    let forgotten = timeout(Duration::from_secs(3), forgotten).await.unwrap();
    assert_eq!(forgotten.unwrap(), 0);
    drop(tx);
}
