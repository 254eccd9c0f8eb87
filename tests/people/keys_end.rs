//! What ends an API key: from the very next request on, in every process.

use futures_util::future::join_all;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{api_keys, operator, platform_user_changes, users};
use switchyard::auth::access::Act;
use switchyard::auth::authenticator::AuthError;
use switchyard::auth::caller::Caller;
use switchyard::auth::denied::Denied;
use switchyard::domain::api_key::KeySecret;
use switchyard::domain::page::PageRequest;
use switchyard::domain::permission::Permission;

use super::keys::key;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{MANY, Person, World, admitted};

/// A key of an owner who can be done away with, since there is another.
struct Ground {
    world: World,
    author: Person,
    other: Caller,
    secret: KeySecret,
    id: switchyard::domain::ids::ApiKeyId,
}

impl Ground {
    async fn new(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let author = world.person("ann", &world.acme, "owner").await;
        let other = world.person("bob", &world.acme, "owner").await;
        let other = world.caller(&other.token).await;
        let caller = world.caller(&author.token).await;
        let (made, secret) = world.key(&caller, &["config.read", "users.list"]).await;
        Self {
            world,
            author,
            other,
            secret,
            id: made.id,
        }
    }

    /// Whether the key is admitted, here and by another process.
    async fn is_good(&self) -> bool {
        let elsewhere = self.world.elsewhere().await;
        let here = admitted(&self.world.authenticator, self.secret.expose()).await;
        let there = admitted(&elsewhere, self.secret.expose()).await;
        assert_eq!(here.is_ok(), there.is_ok());
        if let Err(error) = &here {
            assert!(matches!(error, AuthError::Denied(Denied::Credentials)), "{error}");
        }
        here.is_ok()
    }
}

#[rstest]
#[tokio::test]
async fn o58_a_revoked_key_is_nobody_at_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let ground = Ground::new(backend).await;
    assert!(ground.is_good().await);
    api_keys::revoke(&ground.world.app, &ground.other, ground.id)
        .await
        .unwrap();
    assert!(!ground.is_good().await);
    let gone = ground
        .world
        .texts("select permission from api_key_permissions")
        .await;
    assert!(gone.is_empty());
}

#[rstest]
#[tokio::test]
async fn o58_an_expired_key_is_nobody_at_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let ground = Ground::new(backend).await;
    ground
        .world
        .bench
        .sql("update api_keys set expires_at = created_at + 3600000000")
        .await;
    assert!(ground.is_good().await);
    ground
        .world
        .bench
        .sql("update api_keys set expires_at = created_at")
        .await;
    assert!(!ground.is_good().await);
}

#[rstest]
#[tokio::test]
async fn o58_a_key_ends_with_its_author(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("deleted", "suspended", "moved")] how: &str,
) {
    let ground = Ground::new(backend).await;
    let (app, author) = (&ground.world.app, ground.author.user.id);
    assert!(ground.is_good().await);
    match how {
        "deleted" => users::delete(app, &ground.other, author, &IfMatch::Any)
            .await
            .unwrap(),
        "suspended" => {
            users::suspend(app, &ground.other, author, &IfMatch::Any)
                .await
                .unwrap();
        }
        _ => {
            let sql = "update users set tenant_id = (select id from tenants where domain = 'globex.example.com') \
                where email = 'ann@example.com'";
            ground.world.bench.sql(sql).await;
        }
    }
    assert!(!ground.is_good().await);
    if how == "suspended" {
        users::reactivate(app, &ground.other, author, &IfMatch::Any)
            .await
            .unwrap();
        assert!(ground.is_good().await);
    }
}

/// The entry is the platform's, as that of every move.
#[rstest]
#[tokio::test]
async fn o58_the_entry_of_a_move_names_the_keys_that_end_with_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let ground = Ground::new(backend).await;
    let world = &ground.world;
    let caller = world.caller(&ground.author.token).await;
    let (second, _) = world.key(&caller, &["config.read"]).await;
    let (others, _) = world.key(&ground.other, &["config.read"]).await;
    let (platform, author) = (operator::platform(None), ground.author.user.id);
    for to in [world.globex.id, world.acme.id] {
        platform_user_changes::change_tenant(&world.app, &platform, author, Some(to), None, &IfMatch::Any)
            .await
            .unwrap();
    }
    let told = "select cast(after as text) from audit_entries where action = 'user.move' order by number";
    let told = world.texts(told).await.into_iter();
    let told: Vec<Value> = told.map(|after| serde_json::from_str(&after).unwrap()).collect();
    assert_eq!(told[0]["ended_api_keys"], json!([ground.id, second.id]));
    assert_eq!(told[1].get("ended_api_keys"), None, "there was none");
    assert_eq!(world.texts("select name from api_keys").await.len(), 1);
    let page = api_keys::list(&world.app, &ground.other, PageRequest::default()).await;
    assert_eq!(page.unwrap().items[0].id, others.id);
}

#[rstest]
#[tokio::test]
async fn o58_a_key_loses_what_its_author_loses(#[values(Sqlite, Postgres)] backend: Backend) {
    let ground = Ground::new(backend).await;
    let author = ground.author.user.id;
    users::assign_role(&ground.world.app, &ground.other, author, "agent", &IfMatch::Any)
        .await
        .unwrap();
    let caller = ground.world.caller(ground.secret.expose()).await;
    // An agent may read the directory, and not the list of users.
    assert!(caller.tenant(Permission::ConfigRead, Act::Read).is_ok());
    assert!(caller.sees_the_directory_only());
    assert_eq!(
        caller.tenant(Permission::UsersList, Act::Read),
        Err(Denied::Permission)
    );
}

#[rstest]
#[tokio::test]
async fn o29_of_a_suspended_tenant_a_key_is_told_so(#[values(Sqlite, Postgres)] backend: Backend) {
    let ground = Ground::new(backend).await;
    let world = &ground.world;
    world.suspend(&world.acme).await;
    let caller = world.caller(ground.secret.expose()).await;
    for refused in [
        caller.tenant(Permission::ConfigRead, Act::Read).map(drop),
        caller.tenant(Permission::ConfigWrite, Act::Change).map(drop),
        caller.own().map(drop),
        caller.standing(),
    ] {
        assert_eq!(refused, Err(Denied::TenantSuspended));
    }
    world.reactivate(&world.acme).await;
    let caller = world.caller(ground.secret.expose()).await;
    assert!(caller.tenant(Permission::ConfigRead, Act::Read).is_ok());
}

#[rstest]
#[tokio::test]
async fn a_rotated_key_has_another_secret_and_the_one_before_is_void_at_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let ground = Ground::new(backend).await;
    let (rotated, secret) = api_keys::rotate(&ground.world.app, &ground.other, ground.id)
        .await
        .unwrap();
    assert_eq!(rotated.id, ground.id);
    assert!(!ground.is_good().await);
    let caller = ground.world.caller(secret.expose()).await;
    assert!(caller.tenant(Permission::UsersList, Act::Read).is_ok());
    // The old secret is void behind the new beginning, too.
    let (_, old) = ground.secret.expose().rsplit_once('_').unwrap();
    let mixed = format!("{}_{old}", secret.prefix());
    assert!(admitted(&ground.world.authenticator, &mixed).await.is_err());
    assert_eq!(
        ground.world.audited().await,
        [
            "api_key.create user ann@example.com",
            "api_key.rotate user bob@example.com"
        ]
    );
}

#[rstest]
#[tokio::test]
async fn of_many_rotations_at_once_the_last_secret_is_good(#[values(Sqlite, Postgres)] backend: Backend) {
    let ground = Ground::new(backend).await;
    let rotate = || api_keys::rotate(&ground.world.app, &ground.other, ground.id);
    let rotated = join_all((0..MANY).map(|_| rotate())).await;
    let mut good = 0;
    for done in rotated {
        let (_, secret) = done.unwrap();
        good += usize::from(
            admitted(&ground.world.authenticator, secret.expose())
                .await
                .is_ok(),
        );
    }
    assert_eq!(good, 1);
}

#[rstest]
#[tokio::test]
async fn of_many_who_revoke_a_key_one_does(#[values(Sqlite, Postgres)] backend: Backend) {
    let ground = Ground::new(backend).await;
    let revoke = || api_keys::revoke(&ground.world.app, &ground.other, ground.id);
    let done = join_all((0..MANY).map(|_| revoke())).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    assert!(!ground.is_good().await);
}

#[rstest]
#[tokio::test]
async fn a_key_says_when_it_was_used_without_a_write_for_each_use(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let ground = Ground::new(backend).await;
    let used = async || -> Option<Timestamp> {
        let page = PageRequest::default();
        let keys = api_keys::list(&ground.world.app, &ground.other, page).await;
        keys.unwrap().items[0].last_used_at
    };
    assert_eq!(used().await, None);
    ground.world.caller(ground.secret.expose()).await;
    let first = used().await.unwrap();
    for _ in 0..5 {
        ground.world.caller(ground.secret.expose()).await;
    }
    assert_eq!(used().await, Some(first));
    ground
        .world
        .bench
        .sql("update api_keys set last_used_at = last_used_at - 60000000")
        .await;
    ground.world.caller(ground.secret.expose()).await;
    assert!(used().await.unwrap() >= first);
}

/// What has the form of a key and is none, is nobody; so is one of whom everything but the last letter is right.
#[rstest]
#[tokio::test]
async fn a_key_that_is_guessed_is_nobody(#[values(Sqlite, Postgres)] backend: Backend) {
    let ground = Ground::new(backend).await;
    let good = ground.secret.expose();
    let (head, last) = good.split_at(good.len() - 1);
    let other = if last == "a" { "b" } else { "a" };
    let unknown = KeySecret::generate(&switchyard::domain::random::SystemRandom).unwrap();
    for presented in [
        format!("{head}{other}"),
        unknown.expose().to_owned(),
        head.to_owned(),
    ] {
        let refused = admitted(&ground.world.authenticator, &presented).await;
        assert!(matches!(refused, Err(AuthError::Denied(Denied::Credentials))));
    }
    assert!(ground.is_good().await);
}

/// The command line of the host ends it like anybody else.
#[rstest]
#[tokio::test]
async fn o58_what_the_command_line_does_to_the_author_ends_the_key(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let ground = Ground::new(backend).await;
    let cli = operator::in_tenant(&ground.world.acme, None);
    users::suspend(&ground.world.app, &cli, ground.author.user.id, &IfMatch::Any)
        .await
        .unwrap();
    assert!(!ground.is_good().await);
    // It makes none itself: a key has an author.
    let made = api_keys::create(&ground.world.app, &cli, key(&["config.read"])).await;
    assert!(made.is_err());
}
