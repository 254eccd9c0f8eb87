//! A36: the extension that is a user's phone: of their tenant, nobody else's, and gone with what it hangs on.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::ids::{SystemIds, TenantId};

use super::client::{Answer, Ask};
use super::people::Person;
use super::races::MANY;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// Who gives a user their phone.
#[derive(Clone, Copy)]
enum By {
    Platform,
    Tenant,
}

use By::{Platform, Tenant};

impl Server {
    fn link(&self, by: By, user: &str, phone: impl Into<Value>) -> Ask<'_> {
        let body = json!({"extension_id": phone.into()});
        let ask = match by {
            Platform => self.platform(Method::PATCH, &format!("/platform/users/{user}")),
            Tenant => self.ask(Method::PUT, &format!("/org-users/{user}/extension")),
        };
        ask.json(&body)
    }

    async fn user(&self, id: &str) -> Answer {
        let path = format!("/platform/users/{id}");
        self.platform(Method::GET, &path).send().await
    }

    async fn phone(&self, user: &str) -> Value {
        self.user(user).await.data(200)["extension_id"].clone()
    }

    /// What the audit log holds of this action: the phones before and after, newest first.
    async fn told(&self, action: &str) -> Vec<(Value, Value)> {
        let path = format!("/platform/audit-log?action={action}");
        let answer = self.platform(Method::GET, &path).send().await;
        let entries = answer.data(200).as_array().unwrap().iter();
        let phone = |entry: &Value, at: &str| entry[at]["extension_id"].clone();
        entries
            .map(|entry| (phone(entry, "before"), phone(entry, "after")))
            .collect()
    }
}

#[rstest]
#[tokio::test]
async fn a36_a_user_is_given_a_phone_another_one_and_none(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Platform, Tenant)] by: By,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let (one, other) = (server.extension("1001").await, server.extension("1002").await);
    for phone in [json!(one), json!(other), Value::Null] {
        let linked = server.link(by, &ann.id, phone.clone()).send().await;
        assert_eq!(linked.data(200)["extension_id"], phone);
        let again = server.link(by, &ann.id, phone.clone()).send().await;
        assert_eq!(
            again.header("etag"),
            linked.header("etag"),
            "nothing is to change"
        );
        let read = server.get(&format!("/org-users/{}", ann.id)).send().await;
        assert_eq!(read.data(200)["extension_id"], phone);
        let own = server.of(&ann.token, Method::GET, "/org-users/me/profile");
        assert_eq!(
            own.send().await.data(200)["extension_id"],
            phone,
            "the session stays"
        );
    }
    let action = match by {
        Platform => "user.change",
        Tenant => "user.link_extension",
    };
    let (one, other) = (json!(one), json!(other));
    let expected = [
        (other.clone(), Value::Null),
        (one.clone(), other),
        (Value::Null, one),
    ];
    assert_eq!(server.told(action).await, expected);
}

#[rstest]
#[tokio::test]
async fn a36_what_a_patch_does_not_name_leaves_the_phone_as_it_is(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let phone = server.extension("1001").await;
    server
        .link(Platform, &ann.id, phone.clone())
        .send()
        .await
        .data(200);
    let path = format!("/platform/users/{}", ann.id);
    let renamed = server
        .platform(Method::PATCH, &path)
        .json(&json!({"name": "Anna"}));
    assert_eq!(renamed.send().await.data(200)["extension_id"], json!(phone));
    let own = server.of(&ann.token, Method::PATCH, "/org-users/me/profile");
    let own = own.json(&json!({"contact": {"phone": "12"}})).send().await;
    assert_eq!(own.data(200)["extension_id"], json!(phone));
    let role = server
        .platform(Method::PATCH, &path)
        .json(&json!({"role": "manager"}));
    assert_eq!(role.send().await.data(200)["extension_id"], json!(phone));
}

#[rstest]
#[tokio::test]
async fn a36_c02_another_tenants_extension_is_refused_like_one_that_is_not_there(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Platform, Tenant)] by: By,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let strange = server.extension_in(&server.globex, "1001").await;
    let absent = TenantId::fresh(&SystemIds).to_string();
    let refused = server.link(by, &ann.id, absent).send().await;
    assert_eq!(refused.fields(), ["extension_id"]);
    let other = server.link(by, &ann.id, strange).send().await;
    assert_eq!((other.status, other.text), (422, refused.text));
    for wrong in [json!("1001"), json!(1001), json!({})] {
        let refused = server.link(by, &ann.id, wrong).send().await;
        assert_eq!(refused.fields(), ["extension_id"]);
    }
    assert_eq!(server.phone(&ann.id).await, Value::Null);
}

#[rstest]
#[tokio::test]
async fn a36_a_user_without_tenant_has_no_phone(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let boss = server.platform_manager("boss").await;
    let phone = server.extension("1001").await;
    let refused = server.link(Platform, &boss.id, phone).send().await;
    assert_eq!(refused.fields(), ["extension_id"]);
    let none = server.link(Platform, &boss.id, Value::Null).send().await;
    assert_eq!(none.data(200)["extension_id"], Value::Null);
}

#[rstest]
#[tokio::test]
async fn a36_of_fifty_who_want_one_extension_one_gets_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let phone = server.extension("1001").await;
    let mut people = Vec::new();
    for number in 0..10 {
        let name = format!("user{number}");
        people.push(server.person(&name, &server.acme, "agent").await.id);
    }
    let links = (0..MANY).map(|number| {
        let by = if number % 2 == 0 { Platform } else { Tenant };
        let user = number / (MANY / people.len());
        let ask = server.link(by, &people[user], phone.clone());
        async move { (user, ask.send().await) }
    });
    let answers = join_all(links).await;
    let got: Vec<usize> = answers
        .iter()
        .filter(|(_, answer)| answer.status == 200)
        .map(|(user, _)| *user)
        .collect();
    // Each asks five times, and whoever has it gets what they ask for.
    assert_eq!(got, vec![got[0]; MANY / people.len()], "{answers:?}");
    for (_, refused) in answers.iter().filter(|(_, answer)| answer.status != 200) {
        assert_eq!(refused.code(), (409, "taken"));
        assert!(
            refused.body["errors"]["extension_id"].is_array(),
            "{}",
            refused.text
        );
    }
    let sql = "select count(*) || '' from users where extension_id is not null";
    assert_eq!(server.database.ask(sql.to_owned()).await, ["1"]);
    let told = [
        server.told("user.change").await,
        server.told("user.link_extension").await,
    ];
    assert_eq!(told.concat(), [(Value::Null, json!(phone))]);
}

#[rstest]
#[tokio::test]
async fn a36_a40_o70_nobody_gives_a_phone_to_themselves_to_equals_or_above(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let admin = server.person("admin", &server.acme, "admin").await;
    let other = server.person("other", &server.acme, "admin").await;
    let owner = server.person("owner", &server.acme, "owner").await;
    let agent = server.person("agent", &server.acme, "agent").await;
    let phone = server.extension("1001").await;
    let link = async |who: &Person, whom: &Person| {
        let path = format!("/org-users/{}/extension", whom.id);
        let ask = server.of(&who.token, Method::PUT, &path);
        ask.json(&json!({"extension_id": phone})).send().await
    };
    assert_eq!(link(&admin, &admin).await.code(), (409, "self_protection"));
    for whom in [&other, &owner] {
        assert_eq!(link(&admin, whom).await.code(), (409, "rank"));
    }
    assert_eq!(link(&agent, &other).await.code(), (403, "permission_denied"));
    assert_eq!(link(&admin, &agent).await.data(200)["extension_id"], json!(phone));
    assert_eq!(link(&owner, &agent).await.data(200)["extension_id"], json!(phone));
}

#[rstest]
#[tokio::test]
async fn a36_a_phone_that_is_deleted_is_nobodys_which_its_entry_tells_and_a_version_of_its_user(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let bob = server.person("bob", &server.acme, "agent").await;
    let (phone, kept) = (server.extension("1001").await, server.extension("1002").await);
    server.link(Tenant, &bob.id, kept.clone()).send().await.data(200);
    let linked = server.link(Tenant, &ann.id, phone.clone()).send().await;
    let tag = linked.header("etag").to_owned();
    let deleted = server.delete(&format!("/extensions/{phone}")).send().await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    assert_eq!(server.phone(&ann.id).await, Value::Null);
    assert_eq!(server.phone(&bob.id).await, json!(kept));
    // Whoever asks why ann has none finds it in her tenant's log.
    let nobodys = server.extension("1003").await;
    let gone = server.delete(&format!("/extensions/{nobodys}")).send().await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    let told = server.get("/audit-log?action=extension.delete").send().await;
    let told = told.data(200).as_array().unwrap().iter();
    let who: Vec<Option<&Value>> = told.map(|entry| entry["before"].get("linked_user_id")).collect();
    assert_eq!(who, [None, Some(&json!(ann.id))]);
    let stale = server
        .link(Tenant, &ann.id, phone)
        .with("if-match", &tag)
        .send()
        .await;
    assert_eq!(stale.code(), (412, "precondition_failed"));
}

#[rstest]
#[tokio::test]
async fn a36_whoever_moves_to_another_tenant_leaves_their_phone_to_others(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let bob = server.person("bob", &server.acme, "agent").await;
    let phone = server.extension("1001").await;
    server.link(Tenant, &ann.id, phone.clone()).send().await.data(200);
    let path = format!("/platform/users/{}/tenant", ann.id);
    let moved = server
        .platform(Method::PUT, &path)
        .json(&json!({"tenant_id": server.globex}));
    assert_eq!(moved.send().await.data(200)["extension_id"], Value::Null);
    let refused = server.link(Platform, &ann.id, phone.clone()).send().await;
    assert_eq!(refused.fields(), ["extension_id"]);
    let given = server.link(Tenant, &bob.id, phone.clone()).send().await;
    assert_eq!(given.data(200)["extension_id"], json!(phone));
}

/// In one tenant they go one after the other: no phone is given that is gone, and none that goes keeps anybody.
#[rstest]
#[tokio::test]
async fn a36_an_extension_that_is_deleted_while_many_want_it_goes(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let phone = server.extension("1001").await;
    let asks = (0..MANY).map(|number| match number {
        25 => server.delete(&format!("/extensions/{phone}")),
        number if number % 2 == 0 => server.link(Tenant, &ann.id, phone.clone()),
        _ => server.link(Platform, &ann.id, phone.clone()),
    });
    let answers = join_all(asks.map(Ask::send)).await;
    for (number, answer) in answers.iter().enumerate() {
        let expected: &[u16] = if number == 25 { &[204] } else { &[200, 422] };
        assert!(expected.contains(&answer.status), "{number}: {answer:?}");
    }
    assert_eq!(server.phone(&ann.id).await, Value::Null);
}
