//! Guards and limits against fifty at once, which each of them alone would let through.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::error::AppError;
use switchyard::app::instances::{self, NewInstance};
use switchyard::app::operator;
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance_secrets::InstanceSecrets;

use super::audited_platform::instance;
use super::client::{Answer, Ask};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

pub(super) const MANY: usize = 50;

/// Sends two kinds of requests at once, half of each; the statuses of the ones and of the others.
pub(super) async fn against<'a>(
    one: impl Fn(usize) -> Ask<'a>,
    other: impl Fn(usize) -> Ask<'a>,
) -> [Vec<Answer>; 2] {
    let asks = (0..MANY).map(|n| if n % 2 == 0 { one(n) } else { other(n) });
    let answers = join_all(asks.map(Ask::send)).await;
    let mut halves = [Vec::new(), Vec::new()];
    for (n, answer) in answers.into_iter().enumerate() {
        halves[n % 2].push(answer);
    }
    halves
}

pub(super) fn done(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status < 300).count()
}

#[rstest]
#[tokio::test]
async fn o34_of_many_who_change_a_tenants_state_at_once_one_does(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let path = format!("/platform/tenants/{}", server.globex);
    for (method, behind, body) in [
        (Method::POST, "/suspend", json!({"category": "pause"})),
        (Method::POST, "/reactivate", json!({})),
        (Method::POST, "/suspend", json!({"category": "policy"})),
        (Method::DELETE, "", json!({"confirm": "Globex"})),
    ] {
        let ask = server.platform(method, &format!("{path}{behind}")).json(&body);
        let answers = join_all((0..MANY).map(|_| ask.clone().send())).await;
        assert_eq!(done(&answers), 1, "{behind}: {answers:?}");
        for refused in answers.iter().filter(|answer| answer.status >= 300) {
            // Once it is being deleted it may be gone before the last of them is answered.
            let gone = behind.is_empty() && refused.code() == (404, "not_found");
            assert!(gone || refused.code() == (409, "bad_transition"), "{refused:?}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn o71_of_platform_managers_who_suspend_each_others_tenant_one_can_still_sign_in(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let mut managers = Vec::new();
    for (name, tenant) in [("ann", &server.acme), ("bob", &server.globex)] {
        let person = server.person(name, tenant, "agent").await;
        let path = format!("/platform/users/{}/platform-manager", person.id);
        let granted = server
            .platform(Method::PUT, &path)
            .json(&json!({"platform_manager": true}));
        granted.send().await.data(200);
        managers.push(person);
    }
    let first = server.platform(Method::GET, "/org-users/me/profile").send().await;
    let first = format!("/platform/users/{}", first.data(200)["id"].as_str().unwrap());
    let deleted = server.of(&managers[0].token, Method::DELETE, &first).send().await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);

    let suspend = |token: &str, tenant: &str| {
        let path = format!("/platform/tenants/{tenant}/suspend");
        let ask = server.of(token, Method::POST, &path);
        ask.json(&json!({"category": "pause"}))
    };
    let [ones, others] = against(
        |_| suspend(&managers[0].token, &server.globex),
        |_| suspend(&managers[1].token, &server.acme),
    )
    .await;
    assert_eq!(done(&ones) + done(&others), 1, "{ones:?} {others:?}");
    let sql = "select count(*) || '' from users u join tenants t on t.id = u.tenant_id \
        where u.platform_manager and u.status = 'active' and t.status = 'active'";
    assert_eq!(server.database.ask(sql.to_owned()).await, ["1"]);
}

#[rstest]
#[tokio::test]
async fn o37_a_tenant_goes_or_a_platform_manager_comes_and_never_both(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let ann = server.platform_manager("ann").await;
    server.suspend(&server.globex).await;
    let (user, tenant) = (
        format!("/platform/users/{}/tenant", ann.id),
        format!("/platform/tenants/{}", server.globex),
    );
    let [moved, deleted] = against(
        |_| {
            let ask = server.platform(Method::PUT, &user);
            ask.json(&json!({"tenant_id": server.globex}))
        },
        |_| {
            let ask = server.platform(Method::DELETE, &tenant);
            ask.json(&json!({"confirm": "Globex"}))
        },
    )
    .await;
    // Who is there already is moved once more without a change.
    assert_eq!(
        usize::from(done(&moved) > 0) + done(&deleted),
        1,
        "{moved:?} {deleted:?}"
    );
}

#[rstest]
#[tokio::test]
async fn what_is_being_used_is_not_deleted_however_close_it_is(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("role", "instance")] kind: &str,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let made = match kind {
        "role" => server.post(
            "/roles",
            &json!({"name": "porter", "permissions": ["users.list"]}),
        ),
        _ => server
            .platform(Method::POST, "/platform/pbx-instances")
            .json(&instance("second")),
    };
    let made = made.send().await;
    let id = made.data(201)["id"].as_str().unwrap().to_owned();
    let assign = |_| match kind {
        "role" => server
            .ask(Method::PUT, &format!("/org-users/{}/role", ann.id))
            .json(&json!({"role": "porter"})),
        _ => server
            .platform(Method::PATCH, &format!("/platform/tenants/{}", server.acme))
            .json(&json!({"pbx_instance_id": id})),
    };
    let delete = |_| match kind {
        "role" => server.delete(&format!("/roles/{id}")),
        _ => server.platform(Method::DELETE, &format!("/platform/pbx-instances/{id}")),
    };
    let [assigned, deleted] = against(assign, delete).await;
    assert_eq!(
        usize::from(done(&assigned) > 0) + done(&deleted),
        1,
        "{assigned:?} {deleted:?}"
    );
    let in_use = |answer: &&Answer| answer.code() == (409, "in_use");
    if done(&deleted) == 0 {
        assert!(deleted.iter().filter(in_use).count() > 0, "{deleted:?}");
    }
}

#[rstest]
#[tokio::test]
async fn an_instance_is_renamed_or_given_up_by_its_name_and_never_both(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let mut second = instance("second");
    // Another host's: nobody here works on it.
    second["node"] = json!("elsewhere");
    let made = server
        .platform(Method::POST, "/platform/pbx-instances")
        .json(&second);
    let made = made.send().await;
    let path = format!(
        "/platform/pbx-instances/{}",
        made.data(201)["id"].as_str().unwrap()
    );
    let before = server.audit_actions().await.len();
    let give_up = |confirm: &str| {
        let ask = server.platform(Method::POST, &format!("{path}/give-up"));
        ask.json(&json!({"confirm": confirm}))
    };
    let mistaken = join_all((0..MANY).map(|_| give_up("Second").send())).await;
    let [renamed, given_up] = against(
        |_| {
            server
                .platform(Method::PATCH, &path)
                .json(&json!({"name": "third"}))
        },
        |_| give_up("second"),
    )
    .await;
    // What has the name already is renamed once more without a change.
    let won = usize::from(done(&renamed) > 0) + done(&given_up);
    assert_eq!(won, 1, "{renamed:?} {given_up:?}");
    let log = server.audit_actions().await.split_off(before);
    let (refused, code) = if done(&given_up) == 0 {
        assert_eq!(log, ["instance.change"]);
        (given_up, (409, "confirmation_mismatch"))
    } else {
        assert_eq!(log, ["instance.give_up"]);
        (renamed, (404, "not_found"))
    };
    for refused in &refused {
        assert_eq!(refused.code(), code);
    }
    for refused in &mistaken {
        assert_eq!(refused.code(), (409, "confirmation_mismatch"));
    }
}

/// The host's command line is no exception: it adds instances and changes where they are by the same rule.
#[rstest]
#[tokio::test]
async fn of_many_commands_that_give_an_instance_the_same_directory_one_does(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let (cli, platform) = (server.another_app().await, operator::platform(None));
    let there = instances::list(&cli, &platform).await.unwrap().remove(0);
    let at = |directory: &str| {
        let mut settings = there.settings.asterisk().unwrap().clone();
        settings.config_dir = directory.parse().unwrap();
        InstanceSettings::Asterisk(settings)
    };
    let make = |name: String, directory: &str| {
        let new = NewInstance {
            name: name.parse().unwrap(),
            node: there.node.clone(),
            settings: at(directory),
            secrets: InstanceSecrets::of_control("not a secret".into()),
        };
        instances::create(&cli, &platform, new)
    };
    let is_taken = |refused: &AppError| {
        let code = "config_dir_taken";
        matches!(refused, AppError::Conflict { code: told, .. } if *told == code)
    };
    let made = join_all((0..MANY).map(|n| make(format!("shared{n}"), "/nowhere/shared"))).await;
    let refused: Vec<AppError> = made.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), MANY - 1);
    assert!(refused.iter().all(is_taken), "{refused:?}");

    let other = make("other".to_owned(), "/nowhere/other").await.unwrap();
    let secret = InstanceSecrets::of_control("not a secret".into());
    let moved = instances::change_settings(&cli, &platform, other.id, at("/nowhere/shared"), &secret).await;
    assert!(is_taken(&moved.unwrap_err()));
    let stays = instances::find(&cli, &platform, other.id).await.unwrap();
    assert_eq!(stays.settings, at("/nowhere/other"));
}

#[rstest]
#[tokio::test]
async fn c13_of_many_who_come_back_at_once_as_many_do_as_there_is_room_for(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let mut people = Vec::new();
    for n in 0..5 {
        let person = server.person(&format!("ann{n}"), &server.acme, "agent").await;
        let path = format!("/org-users/{}", person.id);
        let suspended = server.ask(Method::POST, &format!("{path}/suspend")).send().await;
        suspended.data(200);
        people.push(path);
    }
    let tenant = format!("/platform/tenants/{}", server.acme);
    let limited = server
        .platform(Method::PATCH, &tenant)
        .json(&json!({"max_users": 2}));
    limited.send().await.data(200);
    let asks = (0..MANY).map(|n| {
        let path = format!("{}/reactivate", people[n % people.len()]);
        server.ask(Method::POST, &path).send()
    });
    let answers = join_all(asks).await;
    assert_eq!(done(&answers), 2, "{answers:?}");
    let usage: Value = server.get("/org/usage").send().await.data(200).clone();
    assert_eq!(usage["users"], json!({"used": 2, "limit": 2}));
}
