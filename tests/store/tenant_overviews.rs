//! The platform's list of tenants with what is counted of each, and the platform's figures.

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use switchyard::domain::instance_check::{CheckRecord, KeptCheck};
use switchyard::domain::query::{TenantQuery, TenantSort};
use switchyard::domain::role::Rank;
use switchyard::domain::user::UserStatus;
use switchyard::store::{
    Statement, Store, domains, instance_checks, platform_figures, tenant_lifecycle, tenant_overviews,
    tenants, users,
};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::{World, at, store_extension, tenant};
use super::support::suspension::pause;
use super::users::add;

/// acme with two owners, an agent who is suspended and two extensions; globex with an agent who has signed in; initech
/// with nothing.
async fn three(store: &Store) -> World {
    let world = World::store(store).await;
    store_extension(store, world.acme.id, "1001", "Ann").await;
    store_extension(store, world.acme.id, "1002", "Ben").await;
    let mut tx = store.begin("people").await.unwrap();
    add(&mut tx, "zoe@acme.example", Some((world.acme.id, Rank::Owner))).await;
    add(&mut tx, "adam@acme.example", Some((world.acme.id, Rank::Owner))).await;
    let off = add(&mut tx, "off@acme.example", Some((world.acme.id, Rank::Agent))).await;
    users::set_status(&mut tx, off.id, UserStatus::Suspended, at(11))
        .await
        .unwrap();
    let gina = add(
        &mut tx,
        "gina@globex.example",
        Some((world.globex.id, Rank::Agent)),
    )
    .await;
    users::set_last_login(&mut tx, gina.id, at(50)).await.unwrap();
    add(&mut tx, "root@operator.example", None).await;
    let initech = tenant(world.instance.id, "Initech");
    tenants::insert(&mut tx, &initech).await.unwrap();
    tenant_lifecycle::suspend(&mut tx, initech.id, &pause(at(12)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world
}

#[rstest]
#[tokio::test]
async fn o13_each_tenant_comes_with_its_owner_and_what_is_counted_of_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = three(&store).await;
    let mut tx = store.read("list").await.unwrap();
    let page = tenant_overviews::list(&mut tx, &TenantQuery::default())
        .await
        .unwrap();
    assert_eq!(page.total, 3);
    let told: Vec<_> = page
        .items
        .iter()
        .map(|found| {
            let owner = found.owner.as_ref().map(|owner| owner.email.as_str());
            (owner, found.users, found.extensions, found.last_activity)
        })
        .collect();
    assert_eq!(
        told,
        [
            // The owner who was there first, and no suspended user.
            (Some("zoe@acme.example"), 2, 2, None),
            (None, 1, 0, Some(at(50))),
            (None, 0, 0, None),
        ]
    );
    assert!(
        page.items
            .iter()
            .all(|found| found.instance == world.instance.name)
    );
    let one = tenant_overviews::find(&mut tx, world.acme.id).await.unwrap();
    assert_eq!(one.as_ref(), page.items.first());
}

#[rstest]
#[case(TenantSort::Owner, 2)]
#[case(TenantSort::Users, 2)]
#[case(TenantSort::Extensions, 2)]
#[case(TenantSort::LastActivity, 1)]
#[tokio::test]
async fn o20_the_list_is_sorted_by_what_is_counted(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] sort: TenantSort,
    #[case] most: i64,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = three(&store).await;
    let mut tx = store.read("list").await.unwrap();
    let mut query = TenantQuery {
        sort,
        ..TenantQuery::default()
    };
    let up = tenant_overviews::list(&mut tx, &query).await.unwrap().items;
    query.descending = true;
    let mut down = tenant_overviews::list(&mut tx, &query).await.unwrap().items;
    let first = if most == 2 { world.acme.id } else { world.globex.id };
    assert_eq!(down.first().unwrap().tenant.id, first, "{sort}");
    down.reverse();
    assert_eq!(up, down);
}

/// How a database goes about a statement, whatever its parameters are.
async fn plan(bench: &Bench, statement: &Statement) -> Vec<String> {
    let mut sql = statement.sql_for(0);
    for (parameter, value) in [
        ("$1", "null"),
        ("$2", "null"),
        ("$3", "null"),
        ("$4", "25"),
        ("$5", "0"),
    ] {
        sql = sql.replace(parameter, value);
    }
    match bench.backend {
        Sqlite => {
            let mut connection = SqliteConnection::connect(&bench.text).await.unwrap();
            let sql = AssertSqlSafe(format!("explain query plan {sql}"));
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
            steps.into_iter().map(|(_, _, _, step)| step).collect()
        }
        Postgres => bench.ask(format!("explain {sql}")).await,
    }
}

/// What a list is sorted by too: for each row that would be a read of its own.
#[rstest]
#[tokio::test]
async fn nothing_is_counted_row_by_row_whatever_the_list_is_sorted_by(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    three(&store).await;
    let statements = switchyard::store::statements();
    let of_list = |statement: &&&Statement| statement.name.contains("::tenant_overviews::");
    let mut sorts = 0;
    for statement in statements.iter().filter(of_list) {
        let plan = plan(&bench, statement).await;
        // As the one and the other name it; what PostgreSQL calls hashed is read once.
        let row_by_row = |step: &&String| step.contains("CORRELATED") || step.contains("(SubPlan");
        assert_eq!(
            plan.iter().find(row_by_row),
            None,
            "{}: {plan:#?}",
            statement.name
        );
        sorts += usize::from(statement.name.contains("::BY_"));
    }
    assert_eq!(sorts, 22);
}

#[rstest]
#[tokio::test]
async fn o07_the_figures_count_what_there_is(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = three(&store).await;
    let mut tx = store.begin("figures").await.unwrap();
    tenant_lifecycle::let_go(&mut tx, world.globex.id, at(13))
        .await
        .unwrap();
    let figures = platform_figures::read(&mut tx).await.unwrap();
    assert_eq!(
        figures,
        platform_figures::Figures {
            tenants: 3,
            active_tenants: 1,
            suspended_tenants: 1,
            users: 5,
            extensions: 2
        }
    );
    let by_instance = platform_figures::tenants_by_instance(&mut tx).await.unwrap();
    assert_eq!(by_instance.get(&world.instance.id), Some(&3));
}

#[rstest]
#[tokio::test]
async fn c05_the_newest_tests_of_an_instance_are_kept(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("checks").await.unwrap();
    let record = |micros, ok| CheckRecord {
        at: at(micros),
        ok,
        checks: vec![KeptCheck {
            name: "ami".to_owned(),
            ok,
            detail: "said \"no\"".to_owned(),
            mend: (!ok).then(|| "start it".to_owned()),
        }],
    };
    for (micros, ok) in [(1, true), (2, false), (3, true)] {
        instance_checks::insert(&mut tx, world.instance.id, &record(micros, ok), 2)
            .await
            .unwrap();
    }
    let newest = instance_checks::newest(&mut tx, world.instance.id, 9)
        .await
        .unwrap();
    assert_eq!(newest, [record(3, true), record(2, false)]);
}

#[rstest]
#[tokio::test]
async fn c15_a_former_domain_is_kept_for_its_time(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = world.acme.id;
    let mut tx = store.begin("aliases").await.unwrap();
    let [old, older] = ["old.example.com", "older.example.com"].map(|domain| domain.parse().unwrap());
    for former in [&old, &older, &old] {
        assert!(domains::put_alias(&mut tx, acme, former).await.unwrap());
    }
    assert_eq!(
        domains::aliases(&mut tx, acme).await.unwrap(),
        [old.clone(), older.clone()]
    );
    assert_eq!(domains::aliases(&mut tx, world.globex.id).await.unwrap(), []);
    assert!(
        domains::is_reserved(&mut tx, &old, world.globex.id)
            .await
            .unwrap()
    );
    assert!(!domains::is_reserved(&mut tx, &old, acme).await.unwrap());
    // Its time has not begun, however long ago it was given up.
    let long_after = at(i64::pow(10, 15));
    assert_eq!(
        domains::with_expired_aliases(&mut tx, long_after).await.unwrap(),
        []
    );
    domains::drop_alias(&mut tx, acme, &old).await.unwrap();
    assert_eq!(domains::aliases(&mut tx, acme).await.unwrap(), [older]);
    assert!(
        !domains::is_reserved(&mut tx, &old, world.globex.id)
            .await
            .unwrap()
    );
}

#[rstest]
#[tokio::test]
async fn c15_what_is_kept_for_one_tenant_is_neither_prolonged_nor_taken_by_another(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let old = "old.example.com".parse().unwrap();
    let mut tx = store.begin("alias").await.unwrap();
    assert!(domains::put_alias(&mut tx, globex, &old).await.unwrap());
    tx.commit().await.unwrap();
    bench.sql("update tenant_domain_aliases set expires_at = 7").await;
    let mut tx = store.begin("another's").await.unwrap();
    assert!(!domains::put_alias(&mut tx, acme, &old).await.unwrap());
    assert_eq!(domains::aliases(&mut tx, acme).await.unwrap(), []);
    let expired = domains::with_expired_aliases(&mut tx, at(0)).await;
    assert_eq!(expired.unwrap(), [globex]);
}
