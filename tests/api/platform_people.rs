//! What platform managers do to users of any tenant, and what they may not.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::Answer;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

async fn patch(server: &Server, id: &str, body: Value) -> Answer {
    let ask = server.platform(Method::PATCH, &format!("/platform/users/{id}"));
    ask.json(&body).send().await
}

async fn set_tenant(server: &Server, id: &str, body: Value) -> Answer {
    let ask = server.platform(Method::PUT, &format!("/platform/users/{id}/tenant"));
    ask.json(&body).send().await
}

#[rstest]
#[tokio::test]
async fn o47_a_user_of_any_tenant_is_edited_and_signed_out_where_rights_change(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let is_in = async || {
        server
            .of(&ann.token, Method::GET, "/org-users/me/profile")
            .send()
            .await
            .status
            == 200
    };
    let renamed = patch(
        &server,
        &ann.id,
        json!({"name": "Anna", "contact": {"phone": "12"}}),
    )
    .await;
    assert_eq!(renamed.data(200)["contact"]["phone"], "12");
    assert!(is_in().await, "a name changes no right");
    for (field, value) in [
        ("role", json!("emperor")),
        ("status", json!("invited")),
        ("email", json!("x@y.example")),
    ] {
        assert_eq!(
            patch(&server, &ann.id, json!({field: value})).await.fields(),
            [field]
        );
    }
    assert_eq!(
        patch(&server, &ann.id, json!({"role": "manager"}))
            .await
            .data(200)["role"],
        "manager"
    );
    assert!(!is_in().await);
    patch(&server, &ann.id, json!({"status": "suspended"}))
        .await
        .data(200);
    assert_eq!(
        patch(&server, &ann.id, json!({"status": "active"}))
            .await
            .data(200)["status"],
        "active"
    );
    let deleted = server
        .platform(Method::DELETE, &format!("/platform/users/{}", ann.id))
        .send()
        .await;
    assert_eq!(deleted.status, 204);
    assert_eq!(patch(&server, &ann.id, json!({"name": "Anna"})).await.status, 404);
}

/// Neither tenant reads whom the other has: the entry is the platform's.
#[rstest]
#[tokio::test]
async fn o61_the_entry_of_a_move_is_the_platforms_alone(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let bob = server.person("bob", &server.acme, "agent").await;
    let owners = [
        server.person("ann", &server.acme, "owner").await,
        server.person("gina", &server.globex, "owner").await,
    ];
    set_tenant(&server, &bob.id, json!({"tenant_id": server.globex}))
        .await
        .data(200);
    let all = server
        .platform(Method::GET, "/platform/audit-log?action=user.move")
        .send()
        .await;
    let [entry] = <&[Value; 1]>::try_from(all.data(200).as_array().unwrap().as_slice()).unwrap();
    assert_eq!(
        (&entry["target_id"], &entry["tenant_id"]),
        (&json!(bob.id), &Value::Null)
    );
    for owner in owners {
        let read = server
            .of(&owner.token, Method::GET, "/audit-log?action=user.move")
            .send()
            .await;
        assert_eq!(read.data(200), &json!([]));
        let all = server
            .of(&owner.token, Method::GET, "/audit-log?per_page=100")
            .send()
            .await;
        let told = all.data(200).to_string();
        assert!(
            told.contains("session.begin") && !told.contains("user.move"),
            "{told}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn o51_a_user_moves_to_a_tenant_that_has_room(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let owner = server.person("owner", &server.acme, "owner").await;
    let ann = server.person("ann", &server.acme, "admin").await;
    let moved = set_tenant(&server, &owner.id, json!({"tenant_id": server.globex})).await;
    assert_eq!(moved.code(), (409, "last_owner"));
    let path = format!("/platform/tenants/{}", server.globex);
    let full = server
        .platform(Method::PATCH, &path)
        .json(&json!({"max_users": 0}));
    full.send().await.data(200);
    let refused = set_tenant(&server, &ann.id, json!({"tenant_id": server.globex})).await;
    assert_eq!(refused.code(), (409, "max_users_reached"));
    let room = server
        .platform(Method::PATCH, &path)
        .json(&json!({"max_users": 1}));
    room.send().await.data(200);
    let moved = set_tenant(
        &server,
        &ann.id,
        json!({"tenant_id": server.globex, "role": "manager"}),
    )
    .await;
    assert_eq!(
        (&moved.data(200)["tenant_id"], &moved.data(200)["role"]),
        (&json!(server.globex), &json!("manager"))
    );
    let old = server
        .of(&ann.token, Method::GET, "/org-users/me/profile")
        .send()
        .await;
    assert_eq!(old.code(), (401, "credentials_invalid"));
    // Only a manager of the platform may work for none.
    assert_eq!(
        set_tenant(&server, &ann.id, json!({"tenant_id": null}))
            .await
            .fields(),
        ["tenant_id"]
    );
    assert_eq!(
        set_tenant(&server, &ann.id, json!({})).await.fields(),
        ["tenant_id"]
    );
}

#[rstest]
#[tokio::test]
async fn c13_of_fifty_who_move_at_once_as_many_arrive_as_there_is_room_for(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let path = format!("/platform/tenants/{}", server.globex);
    let room = server
        .platform(Method::PATCH, &path)
        .json(&json!({"max_users": 3}));
    room.send().await.data(200);
    let mut people = Vec::new();
    for number in 0..10 {
        people.push(
            server
                .person(&format!("user{number}"), &server.acme, "agent")
                .await,
        );
    }
    let moves = (0..50).map(|number| {
        set_tenant(
            &server,
            &people[number % 10].id,
            json!({"tenant_id": server.globex}),
        )
    });
    let answers = join_all(moves).await;
    assert!(
        answers.iter().all(|answer| [200, 409].contains(&answer.status)),
        "{answers:?}"
    );
    let query = format!("/platform/users?tenant_id={}", server.globex);
    let there = server.platform(Method::GET, &query).send().await;
    assert_eq!(there.body["meta"]["total"], 3);
}
