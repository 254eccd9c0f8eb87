//! What a mail says is in nobody's hands but the mail server's.

use rstest::rstest;
use switchyard::store::StoreError;
use switchyard::store::outbox;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::database::key;
use super::world::{ADDRESS, TOKEN, World};

const SECRETS: [&str; 4] = [TOKEN, ADDRESS, "Ann Invited", "Acme Secret Inc."];

#[tokio::test]
async fn o28_no_link_and_no_name_stands_in_the_sqlite_file_in_clear() {
    let world = World::new(Sqlite).await;
    let subject = world
        .post(&world.invitation_to("Ann Invited", "Acme Secret Inc."))
        .await;
    let read = || {
        let file = world.bench.file();
        let journal = std::fs::read(file.with_file_name("test.db-wal")).unwrap_or_default();
        [std::fs::read(file).unwrap(), journal].concat()
    };
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let waiting = read();
    assert!(holds(&waiting, subject.as_str()), "the scan finds what is there");
    assert_eq!(SECRETS.map(|text| holds(&waiting, text)), [false; 4]);
    world.work_off().await;
    assert!(world.standing(&subject).await.unwrap().sent_at.is_some());
    world.store.close().await;
    assert_eq!(SECRETS.map(|text| holds(&read(), text)), [false; 4]);
}

#[tokio::test]
async fn o28_no_link_and_no_name_stands_in_the_postgresql_table_in_clear() {
    let world = World::new(Postgres).await;
    let subject = world
        .post(&world.invitation_to("Ann Invited", "Acme Secret Inc."))
        .await;
    let dump = "select o::text || ' ' || encode(o.payload, 'escape') || ' ' || encode(o.payload, 'base64') from outbox o";
    let rows = world.bench.ask(dump.to_owned()).await;
    assert_eq!(rows.len(), 1);
    assert!(rows[0].contains(subject.as_str()), "the scan finds what is there");
    assert!(SECRETS.iter().all(|text| !rows[0].contains(text)), "{rows:?}");
}

#[rstest]
#[tokio::test]
async fn what_is_sealed_for_one_message_does_not_open_for_another(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (first, second) = (
        world.post(&world.invitation_to("First", "Acme Inc.")).await,
        world.post(&world.invitation_to("Second", "Acme Inc.")).await,
    );
    // Somebody who can write the database lets the second say what the first says.
    world
        .bench
        .sql("update outbox set payload = (select payload from outbox order by id limit 1)")
        .await;
    world.work_off().await;
    assert!(world.standing(&first).await.unwrap().sent_at.is_some());
    let error = world.standing(&second).await.unwrap().last_error.unwrap();
    assert!(error.contains("sealed for another row"), "{error}");
    assert_eq!(world.server.accepted().len(), 1);
}

#[rstest]
#[tokio::test]
async fn without_the_key_nothing_is_written_and_nothing_is_lost(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let subject = world.post(&world.invitation()).await;
    for other in [None, Some(key('b'))] {
        let store = world.bench.another_store(other).await;
        let (message, _) = world.message(&world.invitation());
        let mut tx = store.begin("push").await.unwrap();
        let refused = outbox::push(&mut tx, &message).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::NoSealingKey) || refused.is_wrong_key(),
            "{refused}"
        );
        drop(tx);
        world.clock.forward(std::time::Duration::from_mins(10));
        world
            .worker_on(store, "keyless")
            .work_off(&world.stop)
            .await
            .unwrap();
        let standing = world.standing(&subject).await.unwrap();
        assert!(
            standing.sent_at.is_none() && standing.gave_up_at.is_none(),
            "{standing:?}"
        );
    }
    world.clock.forward(std::time::Duration::from_mins(10));
    world.work_off().await;
    assert!(world.standing(&subject).await.unwrap().sent_at.is_some());
}
