//! Exports whose reader loses what they may: nothing is read for them after that, not even of a recording that is open.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{api_keys, operator, platform_users, roles};

use super::exporting::MARKS;
use super::exporting_faults::LONG;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

/// Less than is read of a file at once, so that all of it is read and the file closed before the reader is waited for.
const SHORT: u64 = 200 * 1024;

fn grow(path: &Path, length: u64) {
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(length)
        .unwrap();
}

fn cut() -> (Value, Value) {
    (json!("cut"), json!("revoked"))
}

#[rstest]
#[tokio::test]
async fn o29_whoever_may_not_export_any_more_gets_no_more_of_an_open_recording_and_none_of_the_next(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(
        "session",
        "session_in_a_persons",
        "key",
        "rotated",
        "suspended",
        "manager",
        "role"
    )]
    what: &str,
    #[values("within", "between")] place: &str,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (owner, _) = world.filled(&world.acme, MARKS[0]).await;
    // Some other has to stay.
    world.manager("other").await;
    let boss = world.person("boss", &world.globex, "agent").await;
    let host = operator::platform(None);
    let flag = async |manages: bool| {
        let set =
            platform_users::set_platform_manager(&world.app, &host, boss.user.id, manages, &IfMatch::Any);
        drop(set.await.unwrap());
    };
    flag(true).await;
    let (key, secret) = world.key(&owner, &["data.export"]).await;
    let permissions = |list: Value| serde_json::from_value(json!({"permissions": list})).unwrap();
    let named = json!({"name": "exporter", "permissions": ["data.export", "config.read"]});
    let named = serde_json::from_value(named).unwrap();
    let role = roles::create(&world.app, &owner, named, None).await.unwrap();
    let caller = match what {
        "role" => {
            let exporter = world.person("exporter", &world.acme, "exporter").await;
            world.caller(&exporter.token).await
        }
        "key" | "rotated" => world.caller(secret.expose()).await,
        "manager" => world.inside(&boss, &world.acme).await,
        _ => owner.clone(),
    };
    // All of them are on one page, and of one call.
    let (files, length) = if place == "within" { (2, LONG) } else { (40, SHORT) };
    for file in 0..files {
        let path = world
            .recording(&world.acme, &format!("1790000100.{file}.wav"), 1)
            .await;
        grow(&path, length);
    }
    world
        .texts("update recordings set channel = '179000001.1' returning path")
        .await;
    let subject = match what {
        "session_in_a_persons" => json!({"number": "1777"}),
        _ => json!({"tenant": true}),
    };
    let mut begun = world.begun_of(&mut maker, &caller, subject).await.unwrap();
    let mut read = 0;
    // Until the sound of a recording comes.
    while read < 400 * 1024 {
        read += begun.export.next().await.unwrap().unwrap().len() as u64;
    }
    match what {
        "session" | "session_in_a_persons" => drop(world.texts("delete from sessions returning 'x'").await),
        "key" => api_keys::revoke(&world.app, &owner, key.id).await.unwrap(),
        "rotated" => drop(api_keys::rotate(&world.app, &owner, key.id).await.unwrap()),
        "role" => {
            let id = role.into_inner().id;
            let less = permissions(json!(["config.read"]));
            let changed = roles::change(&world.app, &owner, id, less, &IfMatch::Any);
            changed.await.unwrap();
        }
        "suspended" => world.suspend(&world.acme).await,
        _ => flag(false).await,
    }
    // It asks again after a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut broke_off = false;
    while let Some(piece) = begun.export.next().await {
        match piece {
            Ok(piece) => read += piece.len() as u64,
            Err(_) => broke_off = true,
        }
    }
    assert!(broke_off);
    // What had been read by then, and waited for its reader.
    assert!(read < 2 * 1024 * 1024, "{read}");
    let came_of = world.came_of().await;
    assert_eq!((came_of["outcome"].clone(), came_of["why"].clone()), cut());
    begun.ended().await;
}
