//! What a tenant sets for itself, and what it uses of what it may have.

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::invitations;
use switchyard::app::own_tenant::{self, OwnTenantInput};
use switchyard::app::precondition::{IfMatch, tag_of_settings};
use switchyard::auth::denied::Denied;
use switchyard::store::revisions;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{MANY, World, fields, invitation};

fn input(name: Option<&str>, timezone: Option<&str>, minutes: Option<i64>) -> OwnTenantInput {
    OwnTenantInput {
        name: name.map(str::to_owned),
        timezone: timezone.map(str::to_owned),
        session_timeout_minutes: minutes,
        ..OwnTenantInput::default()
    }
}

#[rstest]
#[tokio::test]
async fn c12_a_tenant_sets_its_name_time_zone_and_session_timeout(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "admin").await;
    let caller = world.caller(&ann.token).await;
    let change = async |change| own_tenant::change(&world.app, &caller, change, &IfMatch::Any).await;
    let changed = change(input(Some("Acme Phones"), Some("europe/berlin"), Some(5)))
        .await
        .unwrap();
    assert_eq!(changed.tenant.name.as_str(), "Acme Phones");
    assert_eq!(changed.tenant.timezone.as_str(), "Europe/Berlin");
    assert_eq!(changed.limits.session_timeout_minutes.minutes(), 5);
    assert_eq!(
        (&changed.tenant.domain, changed.tenant.instance_id),
        (&world.acme.domain, world.acme.instance_id)
    );
    assert_eq!(own_tenant::find(&world.app, &caller).await.unwrap(), changed);
    // What changes nothing leaves no trace.
    change(input(Some("Acme Phones"), None, None)).await.unwrap();
    assert_eq!(world.audited().await, ["tenant.change user ann@example.com"]);
    for (wrong, field) in [
        (input(Some("x"), None, None), "name"),
        (input(None, Some("Mars/Olympus"), None), "timezone"),
        (input(None, None, Some(4)), "session_timeout_minutes"),
        (input(None, None, Some(1441)), "session_timeout_minutes"),
    ] {
        assert_eq!(fields(change(wrong).await), [field]);
    }
    // Nobody else's.
    let globex = world
        .texts("select name from tenants where domain = 'globex.example.com'")
        .await;
    assert_eq!(globex, ["Globex"]);
}

#[rstest]
#[tokio::test]
async fn a_change_of_the_name_is_deployed_and_one_of_the_session_timeout_is_not(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let head = async || {
        let sql = "select coalesce(cast(head_revision_id is null as integer), 0) || '' from tenants \
            where domain = 'acme.example.com'";
        world.texts(sql).await == ["1"]
    };
    let mut tx = world.store.begin("take").await.unwrap();
    let fresh = switchyard::domain::ids::RevisionId::fresh(&switchyard::domain::ids::SystemIds);
    revisions::take_head(&mut tx, world.acme.id, fresh, world.acme.created_at)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(!head().await);
    for (change, edits) in [
        (input(None, None, Some(30)), false),
        (input(Some("Acme Two"), None, None), true),
    ] {
        own_tenant::change(&world.app, &caller, change, &IfMatch::Any)
            .await
            .unwrap();
        assert_eq!(head().await, edits);
    }
}

#[rstest]
#[tokio::test]
async fn a_change_that_was_meant_for_other_settings_is_not_made(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let seen = own_tenant::find(&world.app, &caller).await.unwrap();
    let seen = IfMatch::OneOf(vec![tag_of_settings(&seen.settings())]);
    let names: Vec<String> = (0..MANY).map(|n| format!("Acme {n}")).collect();
    let change = |name: &String| {
        let change = input(Some(name), None, None);
        own_tenant::change(&world.app, &caller, change, &seen)
    };
    let done = join_all(names.iter().map(change)).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    for refused in done.into_iter().filter(Result::is_err) {
        assert!(matches!(refused, Err(AppError::PreconditionFailed)));
    }
    assert_eq!(world.audited().await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn o29_a_suspended_tenant_is_read_by_the_operator_and_changed_by_nobody(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    world.suspend(&world.acme).await;
    let own = world.caller(&ann.token).await;
    let manager = world.manager("boss").await;
    let inside = world.inside(&manager, &world.acme).await;
    let suspended = |refused| matches!(refused, Err(AppError::Denied(Denied::TenantSuspended)));
    assert!(suspended(own_tenant::find(&world.app, &own).await.map(drop)));
    assert!(own_tenant::find(&world.app, &inside).await.is_ok());
    let change = input(Some("Acme Two"), None, None);
    let refused = own_tenant::change(&world.app, &inside, change, &IfMatch::Any).await;
    assert!(suspended(refused.map(drop)));
}

#[rstest]
#[tokio::test]
async fn usage_counts_what_the_limits_count(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "admin").await;
    let agent = world.person("agent", &world.acme, "agent").await;
    world.person("eve", &world.globex, "owner").await;
    let caller = world.caller(&ann.token).await;
    invitations::invite(&world.app, &caller, invitation("bob", "agent"))
        .await
        .unwrap();
    switchyard::app::users::suspend(&world.app, &caller, agent.user.id, &IfMatch::Any)
        .await
        .unwrap();
    world
        .bench
        .sql("update tenants set max_users = 7, max_concurrent_calls = 3")
        .await;
    world.extension(&caller, "1001").await.unwrap();
    let usage = own_tenant::usage(&world.app, &caller).await.unwrap();
    assert_eq!((usage.users, usage.extensions, usage.calls), (2, 1, 0));
    assert_eq!(
        (
            usage.limits.max_users,
            usage.limits.max_extensions,
            usage.limits.max_concurrent_calls
        ),
        (Some(7), None, Some(3))
    );
    let manager = world.person("manager", &world.acme, "manager").await;
    let manager = world.caller(&manager.token).await;
    let denied = |refused| matches!(refused, Err(AppError::Denied(Denied::Permission)));
    assert!(denied(own_tenant::usage(&world.app, &manager).await.map(drop)));
    assert!(denied(own_tenant::find(&world.app, &manager).await.map(drop)));
}
