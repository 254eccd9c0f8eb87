//! API keys: who makes them, what they may do, and what is kept of them.

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::app::api_keys::{self, KeyInput};
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{extensions, invitations, profile, roles, users};
use switchyard::auth::access::Act;
use switchyard::auth::caller::{Caller, Identity};
use switchyard::auth::denied::Denied;
use switchyard::domain::api_key::{ApiKey, KeySecret};
use switchyard::domain::audit::ActorKind;
use switchyard::domain::extension_input::ExtensionInput;
use switchyard::domain::page::PageRequest;
use switchyard::domain::permission::{Permission, PlatformPermission};
use switchyard::domain::query::ExtensionQuery;
use switchyard::domain::user_query::UserQuery;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{MANY, World, code, fields, invitation};

/// As many keys a tenant may have.
const MOST: i64 = 100;

pub fn key(permissions: &[&str]) -> KeyInput {
    KeyInput {
        name: Some("crm".to_owned()),
        permissions: Some(permissions.iter().map(|word| (*word).to_owned()).collect()),
        expires_at: None,
    }
}

impl World {
    pub async fn key(&self, author: &Caller, permissions: &[&str]) -> (ApiKey, KeySecret) {
        api_keys::create(&self.app, author, key(permissions))
            .await
            .unwrap()
    }
}

fn denied<T>(done: &Result<T, AppError>) -> bool {
    matches!(done, Err(AppError::Denied(Denied::Permission)))
}

#[rstest]
#[tokio::test]
async fn a_key_is_its_tenants_program_and_acts_there_by_its_own_name(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let author = world.caller(&ann.token).await;
    let (made, secret) = world.key(&author, &["config.read", "config.write"]).await;
    let caller = world.caller(secret.expose()).await;
    let actor = caller.identity().actor();
    assert_eq!(
        (actor.kind, actor.id, actor.name.as_str()),
        (ActorKind::ApiKey, Some(made.id.uuid()), "crm")
    );
    let input = ExtensionInput {
        number: Some("1001".to_owned()),
        name: Some("Ann".to_owned()),
        ..ExtensionInput::default()
    };
    let (extension, _) = extensions::create(&world.app, &caller, input).await.unwrap();
    assert_eq!(extension.tenant_id, world.acme.id);
    assert_eq!(
        world.audited().await,
        [
            "api_key.create user ann@example.com",
            "extension.create api_key crm"
        ]
    );
}

#[rstest]
#[tokio::test]
async fn a_key_passes_what_its_scopes_name_and_nothing_else(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let author = world.caller(&ann.token).await;
    for right in Permission::ALL {
        let made = api_keys::create(&world.app, &author, key(&[right.as_str()])).await;
        if !right.is_for_keys() {
            assert_eq!(fields(made), ["permissions"], "{right}");
            continue;
        }
        let (_, secret) = made.unwrap();
        let caller = world.caller(secret.expose()).await;
        for asked in Permission::ALL {
            for act in [Act::Read, Act::Change] {
                let may = caller.tenant(*asked, act);
                // The one right that holds another: the contract opens calls to either of the two, and the tenant's calls
                // are those of each extension too. A wallboard's key, which has no extension, takes the wider one alone.
                let is_among = (*asked, *right) == (Permission::CallsViewOwn, Permission::CallsViewAll);
                let expected = if asked == right || is_among {
                    Ok(world.acme.id)
                } else {
                    Err(Denied::Permission)
                };
                assert_eq!(may, expected, "{asked} by a key for {right}");
            }
        }
        for asked in PlatformPermission::ALL {
            assert_eq!(caller.platform(*asked), Err(Denied::Permission));
        }
        assert_eq!(caller.member(Act::Read), Err(Denied::Permission));
        assert!(caller.own().is_err());
    }
}

#[rstest]
#[tokio::test]
async fn a_key_has_no_profile_makes_no_keys_and_enters_no_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let author = world.caller(&ann.token).await;
    let all: Vec<&str> = Permission::ALL
        .iter()
        .filter(|right| right.is_for_keys())
        .map(|right| right.as_str())
        .collect();
    let (made, secret) = world.key(&author, &all).await;
    assert_eq!(made.permissions.len(), 28);
    let caller = world.caller(secret.expose()).await;
    assert!(denied(&profile::find(&world.app, &caller).await));
    assert!(denied(
        &api_keys::list(&world.app, &caller, PageRequest::default()).await
    ));
    assert!(denied(
        &api_keys::create(&world.app, &caller, key(&["config.read"])).await
    ));
    assert!(denied(&api_keys::rotate(&world.app, &caller, made.id).await));
    let mut credentials = switchyard::auth::authenticator::Credentials {
        bearer: Some(secret.expose().into()),
        ..Default::default()
    };
    for tenant in [&world.acme, &world.globex] {
        credentials.operate_as = Some(tenant.id.to_string());
        let caller = world.authenticator.caller(credentials.clone()).await.unwrap();
        let query = ExtensionQuery::default();
        assert!(denied(&extensions::list(&world.app, &caller, &query).await));
    }
}

#[rstest]
#[tokio::test]
async fn a40_a_key_acts_on_those_below_its_rights_and_gives_no_more_than_it_has(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let [admin, agent] = [
        world.person("admin", &world.acme, "admin").await,
        world.person("agent", &world.acme, "agent").await,
    ];
    let author = world.caller(&ann.token).await;
    let (_, secret) = world
        .key(&author, &["users.delete", "users.assign_role", "users.create"])
        .await;
    let caller = world.caller(secret.expose()).await;
    for whom in [&ann, &admin] {
        assert_eq!(
            code(users::suspend(&world.app, &caller, whom.user.id, &IfMatch::Any).await),
            "rank"
        );
    }
    for role in ["admin", "owner"] {
        let assigned = users::assign_role(&world.app, &caller, agent.user.id, role, &IfMatch::Any).await;
        assert_eq!(code(assigned), "rank");
        let invited = invitations::invite(&world.app, &caller, invitation("new", role)).await;
        assert_eq!(code(invited), "rank");
    }
    let role = roles::RoleInput {
        name: Some("keeper".to_owned()),
        permissions: Some(vec!["config.write".to_owned()]),
    };
    assert_eq!(
        fields(roles::create(&world.app, &caller, role, None).await),
        ["permissions"]
    );
    assert!(users::exists(&world.app, &caller, agent.user.id).await.is_ok());
    assert!(
        users::suspend(&world.app, &caller, agent.user.id, &IfMatch::Any)
            .await
            .is_ok()
    );
}

#[rstest]
#[tokio::test]
async fn only_what_the_author_may_is_given_to_a_key(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let keeper = roles::RoleInput {
        name: Some("keeper".to_owned()),
        permissions: Some(vec!["org.api_keys".to_owned(), "config.read".to_owned()]),
    };
    let owner = world.caller(&ann.token).await;
    roles::create(&world.app, &owner, keeper, None).await.unwrap();
    let bob = world.person("bob", &world.acme, "keeper").await;
    let keeper = world.caller(&bob.token).await;
    let more = api_keys::create(&world.app, &keeper, key(&["config.read", "config.write"])).await;
    assert_eq!(fields(more), ["permissions"]);
    assert!(world.key(&keeper, &["config.read"]).await.0.author_id == bob.user.id);
    // Nor does a keeper get hold of a key that may more.
    let (strong, _) = world.key(&owner, &["config.write"]).await;
    assert_eq!(
        code(api_keys::rotate(&world.app, &keeper, strong.id).await),
        "rank"
    );
    assert!(
        api_keys::revoke(&world.app, &keeper, strong.id).await.is_ok(),
        "but may end it"
    );
    // Neither the operator's people nor anybody else makes one.
    let manager = world.manager("boss").await;
    let inside = world.inside(&manager, &world.acme).await;
    assert!(denied(
        &api_keys::list(&world.app, &inside, PageRequest::default()).await
    ));
    let admin = world.person("admin", &world.acme, "admin").await;
    let admin = world.caller(&admin.token).await;
    assert!(denied(
        &api_keys::list(&world.app, &admin, PageRequest::default()).await
    ));
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_with_a_key_is_said_by_field(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let author = world.caller(&ann.token).await;
    let with = |name: Option<&str>, permissions: Option<&[&str]>, end: Option<&str>| KeyInput {
        name: name.map(str::to_owned),
        permissions: permissions.map(|words| words.iter().map(|word| (*word).to_owned()).collect()),
        expires_at: end.map(str::to_owned),
    };
    for (input, expected) in [
        (KeyInput::default(), &["name", "permissions"][..]),
        (with(Some(""), Some(&["config.read"]), None), &["name"]),
        (with(Some("x\ny"), Some(&["config.read"]), None), &["name"]),
        (with(Some("x"), Some(&[]), None), &["permissions"]),
        (with(Some("x"), Some(&["everything"]), None), &["permissions"]),
        (with(Some("x"), Some(&["platform.audit"]), None), &["permissions"]),
        (
            with(Some("x"), Some(&["config.read"]), Some("tomorrow")),
            &["expires_at"],
        ),
        (
            with(Some("x"), Some(&["config.read"]), Some("2020-01-01T00:00:00Z")),
            &["expires_at"],
        ),
    ] {
        assert_eq!(
            fields(api_keys::create(&world.app, &author, input).await),
            expected
        );
    }
}

#[rstest]
#[tokio::test]
async fn of_a_key_the_database_keeps_a_digest_and_lists_show_how_it_begins(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let author = world.caller(&ann.token).await;
    let (made, secret) = world.key(&author, &["config.read"]).await;
    let kept = match backend {
        Sqlite => "select lower(hex(digest)) || prefix || name from api_keys",
        Postgres => "select encode(digest, 'hex') || prefix || name from api_keys",
    };
    let hidden = secret.expose().strip_prefix(secret.prefix()).unwrap();
    for sql in [kept, "select coalesce(after, '') from audit_entries"] {
        for text in world.texts(sql).await {
            assert!(!text.contains(hidden), "{sql}");
        }
    }
    let page = PageRequest::default();
    let listed = api_keys::list(&world.app, &author, page).await.unwrap().items;
    assert_eq!(listed, [made]);
    assert!(secret.expose().starts_with(&listed[0].prefix));
    // C02: another tenant sees none of them.
    let eve = world.person("eve", &world.globex, "owner").await;
    let eve = world.caller(&eve.token).await;
    assert!(
        api_keys::list(&world.app, &eve, page)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    for done in [
        api_keys::rotate(&world.app, &eve, listed[0].id).await.map(drop),
        api_keys::revoke(&world.app, &eve, listed[0].id).await,
        api_keys::exists(&world.app, &eve, listed[0].id).await,
    ] {
        assert!(matches!(done, Err(AppError::NotFound)));
    }
}

#[rstest]
#[tokio::test]
async fn of_many_who_make_the_last_key_one_does(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let author = world.caller(&ann.token).await;
    for _ in 1..MOST {
        world.key(&author, &["config.read"]).await;
    }
    let make = || api_keys::create(&world.app, &author, key(&["config.read"]));
    let done = join_all((0..MANY).map(|_| make())).await;
    let last = PageRequest::new(4, 30).unwrap();
    let last = api_keys::list(&world.app, &author, last).await.unwrap();
    assert_eq!((last.items.len(), last.total), (10, MOST));
    let (made, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for refusal in refused {
        assert_eq!(code(refusal), "max_api_keys_reached");
    }
}

/// An agent of the tenant sees whom to call; a key whose author sees more does too.
#[rstest]
#[tokio::test]
async fn a06_a_key_sees_of_extensions_what_its_author_sees(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let author = world.caller(&ann.token).await;
    let (_, secret) = world.key(&author, &["config.read"]).await;
    let caller = world.caller(secret.expose()).await;
    assert!(!caller.sees_the_directory_only());
    assert!(matches!(caller.identity(), Identity::ApiKey(_)));
    assert!(denied(
        &users::list(&world.app, &caller, &UserQuery::default()).await
    ));
}
