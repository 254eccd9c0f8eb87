//! O71: in whichever way it is tried, somebody is left who manages the platform.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::error::AppError;
use switchyard::app::platform_user_changes::{self, UserPatch};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{App, operator, platform_users, tenants};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::store::{user_counts, users};

use super::client::{Answer, Ask};
use super::people::Person;
use super::races::{against, done};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const MANAGERS: &str = "select email from users where platform_manager and status = 'active' order by email";

/// How somebody is kept from managing the platform.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Flag,
    Deletion,
    Removal,
    Status,
    Suspension,
    /// To a suspended tenant, from where nobody signs in.
    Move,
}

impl Way {
    const EACH: [Self; 6] = [
        Self::Flag,
        Self::Deletion,
        Self::Removal,
        Self::Status,
        Self::Suspension,
        Self::Move,
    ];

    /// One manager tries it on another, who works for Acme.
    fn ask<'a>(self, server: &'a Server, token: &str, whom: &str) -> Ask<'a> {
        let on_platform = |method, behind: &str, body: Value| {
            let path = format!("/platform/users/{whom}{behind}");
            server.of(token, method, &path).json(&body)
        };
        let in_acme = |method, behind: &str| {
            let path = format!("/org-users/{whom}{behind}");
            let ask = server.of(token, method, &path).in_tenant(&server.acme);
            ask.with("x-reason", "asked by phone")
        };
        match self {
            Self::Flag => on_platform(
                Method::PUT,
                "/platform-manager",
                json!({"platform_manager": false}),
            ),
            Self::Deletion => on_platform(Method::DELETE, "", json!({})),
            Self::Removal => in_acme(Method::DELETE, ""),
            Self::Status => on_platform(Method::PATCH, "", json!({"status": "suspended"})),
            Self::Suspension => in_acme(Method::POST, "/suspend"),
            Self::Move => on_platform(Method::PUT, "/tenant", json!({"tenant_id": server.globex})),
        }
    }
}

impl Way {
    /// The host's command line tries it.
    async fn by_host(self, app: &App, server: &Server, whom: &str) -> Result<(), AppError> {
        let (host, any) = (operator::platform(None), &IfMatch::Any);
        let acme = tenants::find(app, &host, server.acme.parse().unwrap()).await?;
        let (inside, id) = (operator::in_tenant(&acme, None), whom.parse().unwrap());
        match self {
            Self::Flag => {
                let ended = platform_users::set_platform_manager(app, &host, id, false, any);
                ended.await.map(drop)
            }
            Self::Deletion => platform_user_changes::delete(app, &host, id, any).await,
            Self::Removal => switchyard::app::users::delete(app, &inside, id, any).await,
            Self::Status => {
                let patch = UserPatch {
                    status: Some("suspended".to_owned()),
                    ..UserPatch::default()
                };
                let changed = platform_user_changes::change(app, &host, id, patch, any);
                changed.await.map(drop)
            }
            Self::Suspension => {
                let suspended = switchyard::app::users::suspend(app, &inside, id, any);
                suspended.await.map(drop)
            }
            Self::Move => {
                let to = Some(server.globex.parse().unwrap());
                let moved = platform_user_changes::change_tenant(app, &host, id, to, None, any);
                moved.await.map(drop)
            }
        }
    }
}

/// Two managers, who both work for Acme, so that it is the flag alone that is at stake; Globex is suspended.
async fn two_managers(backend: Backend) -> (Server, [Person; 2]) {
    let server = Server::start(backend).await;
    let first = server.platform(Method::GET, "/org-users/me/profile").send().await;
    let first = Person {
        id: first.data(200)["id"].as_str().unwrap().to_owned(),
        email: first.data(200)["email"].as_str().unwrap().to_owned(),
        token: server.token.clone(),
    };
    let ann = server.platform_manager("ann").await;
    let work = "update users set tenant_id = (select id from tenants where domain = 'acme.example.com'), \
        role_id = (select id from roles where name = 'agent')";
    server.database.sql(work).await;
    server.suspend(&server.globex).await;
    (server, [first, ann])
}

/// What is answered to a manager who manages no longer when it is their turn, but did when they were let in.
pub(super) async fn overtaken(server: &Server, who: &Person, ask: Ask<'_>) -> Answer {
    let mut tx = server.store.begin("overtake").await.unwrap();
    user_counts::lock_platform(&mut tx).await.unwrap();
    let id = who.id.parse().unwrap();
    let ended = users::set_platform_manager(&mut tx, id, false, SystemClock.now()).await;
    assert!(ended.unwrap());
    let (answer, ()) = tokio::join!(ask.send(), async {
        server.database.others_wait().await;
        tx.commit().await.unwrap();
    });
    answer
}

async fn manages_again(server: &Server, who: &Person) {
    let mut tx = server.store.begin("manage_again").await.unwrap();
    let id = who.id.parse().unwrap();
    let set = users::set_platform_manager(&mut tx, id, true, SystemClock.now()).await;
    assert!(set.unwrap());
    tx.commit().await.unwrap();
}

#[rstest]
#[case::flag(Way::Flag)]
#[case::deletion(Way::Deletion)]
#[case::removal(Way::Removal)]
#[case::status(Way::Status)]
#[case::suspension(Way::Suspension)]
#[case::moving(Way::Move)]
#[tokio::test]
async fn o71_whoever_manages_no_longer_throws_nobody_out_by_having_been_let_in(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] way: Way,
) {
    let (server, [first, ann]) = two_managers(backend).await;
    let ask = way.ask(&server, &first.token, &ann.id);
    let before = server.audit_actions().await;
    let refused = overtaken(&server, &first, ask.clone()).await;
    assert_eq!(refused.code(), (403, "permission_denied"));
    assert_eq!(
        server.database.ask(MANAGERS.to_owned()).await,
        [ann.email.as_str()]
    );
    assert_eq!(server.standing(&ann.token).await.0, 200);
    assert_eq!(server.audit_actions().await, before);
    // It was the flag alone that was lacking.
    manages_again(&server, &first).await;
    let allowed = ask.send().await;
    assert!(allowed.status < 300, "{}", allowed.text);
    assert_eq!(server.audit_actions().await.len(), before.len() + 1);
}

/// The host's command line needs no flag: by it alone somebody asks for it who is no manager themselves.
#[rstest]
#[case::flag(Way::Flag)]
#[case::deletion(Way::Deletion)]
#[case::removal(Way::Removal)]
#[case::status(Way::Status)]
#[case::suspension(Way::Suspension)]
#[case::moving(Way::Move)]
#[tokio::test]
async fn o71_the_last_platform_manager_stays_one_whoever_asks(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] way: Way,
) {
    let (server, [first, ann]) = two_managers(backend).await;
    let app = server.another_app().await;
    let host = operator::platform(None);
    Way::Flag.by_host(&app, &server, &first.id).await.unwrap();
    let entries = async || {
        server
            .database
            .ask("select action from audit_entries".to_owned())
            .await
            .len()
    };
    let before = entries().await;
    let refused = way.by_host(&app, &server, &ann.id).await.unwrap_err();
    let is_last = |code: &str| code == "last_platform_manager";
    assert!(
        matches!(&refused, AppError::Conflict { code, .. } if is_last(code)),
        "{refused:?}"
    );
    assert_eq!(
        server.database.ask(MANAGERS.to_owned()).await,
        [ann.email.as_str()]
    );
    assert_eq!(server.standing(&ann.token).await.0, 200);
    assert_eq!(entries().await, before);
    // With another one beside her it is done.
    let id = first.id.parse().unwrap();
    platform_users::set_platform_manager(&app, &host, id, true, &IfMatch::Any)
        .await
        .unwrap();
    way.by_host(&app, &server, &ann.id).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn o71_the_tenant_of_the_last_platform_managers_is_not_suspended(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (server, [first, ann]) = two_managers(backend).await;
    let path = format!("/platform/tenants/{}/suspend", server.acme);
    let suspend = |token: &str| {
        let ask = server.of(token, Method::POST, &path);
        ask.json(&json!({"category": "pause"})).send()
    };
    for manager in [&first, &ann] {
        assert_eq!(
            suspend(&manager.token).await.code(),
            (409, "last_platform_manager")
        );
    }
    assert_eq!(server.standing(&ann.token).await.0, 200);
    let boss = server.platform_manager("boss").await;
    assert_eq!(suspend(&boss.token).await.data(200)["status"], "suspended");
}

/// Managers who all throw each other out at the same time: somebody is left.
#[rstest]
#[case::flag(&[Way::Flag])]
#[case::deletion(&[Way::Deletion])]
#[case::removal(&[Way::Removal])]
#[case::status(&[Way::Status])]
#[case::suspension(&[Way::Suspension])]
#[case::moving(&[Way::Move])]
#[case::each(&Way::EACH)]
#[tokio::test]
async fn o71_of_many_who_try_one_platform_manager_is_left(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] ways: &[Way],
) {
    let (server, [first, ann]) = two_managers(backend).await;
    let way = |n: usize| ways[n / 2 % ways.len()];
    let [ones, others] = against(
        |n| way(n).ask(&server, &first.token, &ann.id),
        |n| way(n).ask(&server, &ann.token, &first.id),
    )
    .await;
    // Whoever is suspended may be deleted too, but not by somebody who is out already.
    let sides = [&ones, &others].map(|answers| usize::from(done(answers) > 0));
    assert_eq!(sides.iter().sum::<usize>(), 1, "{ones:#?} {others:#?}");
    let can_sign_in = "select u.email from users u join tenants t on t.id = u.tenant_id \
        where u.platform_manager and u.status = 'active' and t.status = 'active'";
    let left = if sides[0] == 1 { &first } else { &ann };
    assert_eq!(
        server.database.ask(can_sign_in.to_owned()).await,
        [left.email.as_str()]
    );
    assert_eq!(server.standing(&left.token).await.0, 200);
}
