//! Recordings that keep an instance from being deleted: its disk says which there are, and each way out that is told leads out.

use std::fs;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::driver::spool::LANDMARK;

use super::audited_platform::instance;
use super::client::Answer;
use super::recordings::SOUND;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const ACME: &str = "acme.example.com";

impl Server {
    /// Moves both tenants to another instance; gives the path of the one that they had.
    async fn left(&self) -> String {
        let first = self.instance().await;
        let second = self.platform(Method::POST, "/platform/pbx-instances");
        let second = second.json(&instance("second")).send().await.data(201)["id"].clone();
        for tenant in [&self.acme, &self.globex] {
            let moved = self.platform(Method::PATCH, &format!("/platform/tenants/{tenant}"));
            let moved = moved.json(&json!({"pbx_instance_id": second}));
            moved.send().await.data(200);
        }
        format!("/platform/pbx-instances/{first}")
    }

    async fn instance_gone(&self, path: &str) -> Answer {
        self.platform(Method::DELETE, path).send().await
    }

    /// Refused in these words, because of so many of Acme's.
    async fn instance_kept(&self, path: &str, recordings: i64, words: &[&str]) {
        let refused = self.instance_gone(path).await;
        assert_eq!(refused.code(), (409, "in_use"), "{}", refused.text);
        assert_eq!(refused.body["references"], json!([self.held(recordings)]));
        for word in words {
            assert!(refused.text.contains(word), "{word}: {}", refused.text);
        }
    }

    fn held(&self, recordings: i64) -> Value {
        json!({"kind": "tenant", "id": self.acme, "name": "Acme", "recordings": recordings})
    }
}

#[rstest]
#[tokio::test]
async fn a12_an_instance_is_deleted_as_soon_as_what_was_moved_has_gone_from_its_disk(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.recording(&server.acme, "acme.example.com/1.0.wav").await;
    let path = server.left().await;
    let moving = "found as new ones without their calls";
    server.instance_kept(&path, 1, &[moving]).await;
    // Without what it is known again by, the disk may as well not be mounted.
    let elsewhere = server.database.folder.path().join("elsewhere");
    fs::rename(server.recorded(ACME), elsewhere).unwrap();
    fs::remove_file(server.recorded(LANDMARK)).unwrap();
    let way_out = "make the file .switchyard-recordings in it empty";
    server.instance_kept(&path, 1, &[moving, way_out]).await;
    fs::write(server.recorded(LANDMARK), "").unwrap();
    assert_eq!(server.instance_gone(&path).await.status, 204);
}

#[rstest]
#[tokio::test]
async fn a12_a_recording_that_was_made_just_now_keeps_its_instance_too(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.call(&server.acme, ACME, 1, "1001", "1002").await;
    // As Asterisk names them.
    let named = "update call_record_parts set channel = '1795911390.7'";
    server.database.ask(named.to_owned()).await;
    server.recording(&server.acme, "acme.example.com/1.0.wav").await;
    let path = server.left().await;
    fs::write(server.recorded("acme.example.com/1795911390.7.wav"), SOUND).unwrap();
    server.instance_kept(&path, 2, &["2 recordings"]).await;
}

#[rstest]
#[tokio::test]
async fn a12_an_instance_that_forgot_where_its_recordings_are_says_so_and_is_deleted_once_it_knows_again(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let id = server.recording(&server.acme, "acme.example.com/1.0.wav").await;
    let path = server.left().await;
    let recording = format!("/recordings/{id}");
    let place = server.recorded("");
    let set = async |place: Value| {
        let set = server.platform(Method::PATCH, &path);
        let set = set.json(&json!({"recordings_dir": place}));
        set.send().await.data(200);
    };
    set(Value::Null).await;
    assert_eq!(server.delete(&recording).send().await.status, 404);
    let words = ["no `recordings_dir`: set it again"];
    server.instance_kept(&path, 1, &words).await;
    set(json!(place.to_str().unwrap().trim_end_matches('/'))).await;
    server.instance_kept(&path, 1, &[]).await;
    assert_eq!(server.delete(&recording).send().await.status, 204);
    assert_eq!(server.instance_gone(&path).await.status, 204);
}

#[rstest]
#[tokio::test]
async fn a12_an_instance_is_not_deleted_with_recordings_of_tenants_that_stay_and_one_given_up_names_them(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let id = server.recording(&server.acme, "acme.example.com/1.0.wav").await;
    for path in ["globex.example.com/1.0.wav", "globex.example.com/2.0.wav"] {
        server.recording(&server.globex, path).await;
    }
    let path = server.left().await;
    let acmes = server.held(1);
    let globexs = json!({"kind": "tenant", "id": server.globex, "name": "Globex", "recordings": 2});
    let refused = server.platform(Method::DELETE, &path).send().await;
    assert_eq!(refused.code(), (409, "in_use"));
    assert_eq!(refused.body["references"], json!([acmes, globexs]));
    for word in ["3 recordings", "DELETE /recordings/{id}"] {
        assert!(refused.text.contains(word), "{}", refused.text);
    }
    // Until then they are heard and removed where they are.
    let heard = server.get(&format!("/recordings/{id}/audio")).send().await;
    assert_eq!((heard.status, heard.text.as_str()), (200, SOUND));
    assert_eq!(
        server.delete(&format!("/recordings/{id}")).send().await.status,
        204
    );
    let refused = server.platform(Method::DELETE, &path).send().await;
    assert_eq!(refused.body["references"], json!([globexs]));

    let lost = server.platform(Method::POST, &format!("{path}/give-up"));
    let lost = lost.json(&json!({"confirm": "pbx1"})).send().await;
    let told = "2 recordings of calls of globex.example.com, in ";
    assert!(
        lost.data(200)["not_proven"].to_string().contains(told),
        "{}",
        lost.text
    );
    let audited = "select cast(after as text) from audit_entries where action = 'instance.give_up'";
    let audited = server.database.ask(audited.to_owned()).await;
    assert!(audited[0].contains(told), "{audited:?}");
}
