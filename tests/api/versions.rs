//! `ETag` and `If-Match`: nobody overwrites what they have not seen.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::Answer;
use super::races::MANY;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// The path of a new extension, and its tag.
async fn made(server: &Server) -> (String, String) {
    let body = json!({"number": "1001", "name": "Ann"});
    let made = server.post("/extensions", &body).send().await;
    let path = format!("/extensions/{}", made.data(201)["id"].as_str().unwrap());
    (path, tag(&made))
}

/// A strong one.
fn tag(answer: &Answer) -> String {
    let tag = answer.header("etag");
    assert!(
        tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'),
        "{answer:?}"
    );
    tag.to_owned()
}

#[rstest]
#[tokio::test]
async fn a_tag_changes_with_every_change_and_with_nothing_else(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let (path, first) = made(&server).await;
    assert_eq!(tag(&server.get(&path).send().await), first);
    assert_eq!(server.ask(Method::HEAD, &path).send().await.header("etag"), first);
    let mut seen = vec![first.clone()];
    for patch in [
        json!({"name": "Eve"}),
        json!({"name": "Ann"}),
        json!({"voicemail": {"pin": "5544332211"}}),
        json!({"voicemail": {"pin": "5544332211"}}),
    ] {
        let changed = tag(&server.patch(&path, &patch).send().await);
        assert!(!seen.contains(&changed), "{patch}: {changed} again");
        assert_eq!(tag(&server.get(&path).send().await), changed);
        seen.push(changed);
    }
    let last = seen.last().unwrap();
    for patch in [json!({}), json!({"name": "Ann"})] {
        assert_eq!(&tag(&server.patch(&path, &patch).send().await), last, "{patch}");
    }
    // What these answer is no extension, so it has no tag of one.
    let ask = async |action| {
        let answer = server.ask(Method::POST, &format!("{path}/{action}")).send().await;
        assert_eq!((answer.status, answer.header("etag")), (200, ""));
        tag(&server.get(&path).send().await)
    };
    assert_eq!(&ask("reveal-secret").await, last);
    for _ in 0..2 {
        let rotated = ask("rotate-secret").await;
        assert!(!seen.contains(&rotated), "{rotated} again");
        seen.push(rotated);
    }
}

#[rstest]
#[tokio::test]
async fn a_change_is_made_of_the_version_that_it_names_only(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let (path, first) = made(&server).await;
    let patch = |name: &str, tags: &str| {
        let ask = server.patch(&path, &json!({"name": name}));
        ask.with("if-match", tags).send()
    };
    let second = tag(&patch("Second", &first).await);
    let before = server.get(&path).send().await;
    let weak = format!("W/{second}");
    for stale in [
        first.as_str(),
        "\"x\"",
        "\"\"",
        &weak,
        &format!("{first}, {weak}"),
    ] {
        assert_eq!(
            patch("Stale", stale).await.code(),
            (412, "precondition_failed"),
            "{stale}"
        );
        // Also where nothing would change.
        assert_eq!(
            patch("Second", stale).await.code(),
            (412, "precondition_failed"),
            "{stale}"
        );
        let delete = server.delete(&path).with("if-match", stale).send().await;
        assert_eq!(delete.code(), (412, "precondition_failed"), "{stale}");
    }
    for action in ["rotate-secret", "reveal-secret"] {
        let ask = |tag: &str| {
            let ask = server.ask(Method::POST, &format!("{path}/{action}"));
            ask.with("if-match", tag).send()
        };
        for stale in [first.as_str(), &weak] {
            let refused = ask(stale).await;
            assert_eq!(refused.code(), (412, "precondition_failed"), "{action} {stale}");
        }
        assert_eq!(ask("3").await.code(), (400, "if_match_malformed"));
    }
    assert_eq!(server.get(&path).send().await.body, before.body);
    assert_eq!(
        server.audit_actions().await,
        ["extension.create", "extension.change"]
    );

    patch("Third", "*").await.data(200);
    let third = tag(&server.get(&path).send().await);
    let ask = |action: &str| {
        let ask = server.ask(Method::POST, &format!("{path}/{action}"));
        ask.with("if-match", &third).send()
    };
    ask("reveal-secret").await.data(200);
    ask("rotate-secret").await.data(200);
    for action in ["rotate-secret", "reveal-secret"] {
        assert_eq!(ask(action).await.code(), (412, "precondition_failed"), "{action}");
    }
    let third = tag(&server.get(&path).send().await);
    patch("Fourth", &format!("\"x\", {third} , W/\"y\""))
        .await
        .data(200);
    let fourth = tag(&server.get(&path).send().await);
    let deleted = server.delete(&path).with("if-match", &fourth).send().await;
    assert_eq!(deleted.status, 204);
    for ask in [
        server.delete(&path).with("if-match", "*"),
        server.patch(&path, &json!({})).with("if-match", &fourth),
    ] {
        assert_eq!(ask.send().await.code(), (404, "not_found"));
    }
}

#[rstest]
#[tokio::test]
async fn of_many_who_saw_the_same_version_one_changes_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let (path, first) = made(&server).await;
    let asks = (0..MANY).map(|n| {
        let ask = if n % 4 == 3 {
            server.delete(&path)
        } else {
            server.patch(&path, &json!({"name": format!("Author {n}")}))
        };
        ask.with("if-match", &first).send()
    });
    let answers = join_all(asks).await;
    let done: Vec<&Answer> = answers.iter().filter(|answer| answer.status < 300).collect();
    assert_eq!(done.len(), 1, "{answers:?}");
    let gone = done[0].status == 204;
    for refused in answers.iter().filter(|answer| answer.status >= 300) {
        let expected = if gone {
            (404, "not_found")
        } else {
            (412, "precondition_failed")
        };
        assert_eq!(refused.code(), expected);
    }
    assert_eq!(server.audit_actions().await.len(), 2);
    if !gone {
        let read = server.get(&path).send().await;
        assert_eq!(read.body, done[0].body);
    }
}

#[rstest]
#[tokio::test]
async fn of_many_who_rotate_the_secret_that_they_saw_one_does(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let (path, first) = made(&server).await;
    let asks = (0..MANY).map(|_| {
        let ask = server.ask(Method::POST, &format!("{path}/rotate-secret"));
        ask.with("if-match", &first).send()
    });
    let answers = join_all(asks).await;
    let (done, refused): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((done.len(), refused.len()), (1, MANY - 1), "{answers:?}");
    for answer in refused {
        assert_eq!(answer.code(), (412, "precondition_failed"));
    }
    let revealed = server
        .ask(Method::POST, &format!("{path}/reveal-secret"))
        .send()
        .await;
    assert_eq!(revealed.data(200)["secret"], done[0].data(200)["secret"]);
    let rotations = server.audit_actions().await;
    let rotations = rotations
        .iter()
        .filter(|action| *action == "extension.rotate_secret");
    assert_eq!(rotations.count(), 1);
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_comes_before_the_version(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let (path, _) = made(&server).await;
    let patch = |body: &Value, tags: &str| server.patch(&path, body).with("if-match", tags);
    for malformed in ["", "3", "\"3", "*, \"3\"", "\"3\" \"4\"", "w/\"3\""] {
        // 400 before 422, and after a missing reason.
        for body in [
            json!({"name": "Eve"}),
            json!({"colour": 1}),
            json!({"number": "1"}),
        ] {
            let answer = patch(&body, malformed).send().await;
            assert_eq!(answer.code(), (400, "if_match_malformed"), "{malformed:?}");
        }
        let answer = server.delete(&path).with("if-match", malformed).send().await;
        assert_eq!(answer.code(), (400, "if_match_malformed"), "{malformed:?}");
        let answer = patch(&json!({}), malformed).without("x-reason").send().await;
        assert_eq!(answer.code(), (400, "reason_required"));
        let absent = server.delete("/extensions/x").with("if-match", malformed);
        assert_eq!(absent.send().await.code(), (404, "not_found"));
    }
    for (body, field) in [
        (json!({"colour": 1}), "colour"),
        (json!({"number": "1002"}), "number"),
        (json!({"ring_time": 1}), "ring_time"),
    ] {
        assert_eq!(patch(&body, "\"x\"").send().await.fields(), [field]);
    }
    let answer = patch(&json!({}), "\"x\"").bytes("{").send().await;
    assert_eq!(answer.code(), (400, "malformed_json"));
    let delete = server.delete(&format!("{path}?x")).with("if-match", "\"x\"");
    assert_eq!(delete.send().await.fields(), ["x"]);
    let theirs = patch(&json!({}), "\"x\"").in_tenant(&server.globex);
    assert_eq!(theirs.send().await.code(), (404, "not_found"));
}
