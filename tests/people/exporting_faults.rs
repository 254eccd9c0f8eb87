//! Exports that do not come to their end, and recordings that cannot be had: it is told, and nothing is held.

use std::fs;
use std::io;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use sqlx::Connection as _;
use switchyard::app::error::AppError;
use switchyard::app::exports::{self, Export, Job, MOST_OF_TENANT};
use switchyard::auth::caller::Caller;
use switchyard::store::tenants;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exporting::MARKS;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

/// More than waits for a reader.
pub const LONG: u64 = 8 * 1024 * 1024;

pub struct Begun {
    pub export: Export,
    pub stop: CancellationToken,
    making: JoinSet<()>,
}

impl Begun {
    /// Reads on; whether it comes to its end, or breaks off.
    async fn read(&mut self) -> io::Result<()> {
        while let Some(piece) = self.export.next().await {
            piece?;
        }
        Ok(())
    }

    pub async fn ended(&mut self) {
        let ended = tokio::time::timeout(Duration::from_secs(30), self.making.join_next());
        ended.await.expect("it goes on").unwrap().unwrap();
    }
}

impl World {
    pub async fn begun(&self, maker: &mut Receiver<Job>, caller: &Caller) -> Result<Begun, AppError> {
        self.begun_of(maker, caller, json!({"tenant": true})).await
    }

    pub async fn begun_of(
        &self,
        maker: &mut Receiver<Job>,
        caller: &Caller,
        subject: Value,
    ) -> Result<Begun, AppError> {
        let input = serde_json::from_value(subject).unwrap();
        let export = exports::begin(&self.app, caller, input).await?;
        let job = maker.recv().await.unwrap();
        let (stop, mut making) = (CancellationToken::new(), JoinSet::new());
        making.spawn(exports::make(self.app.clone(), job, stop.clone()));
        Ok(Begun { export, stop, making })
    }

    /// Whether somebody has a transaction open that has read something.
    async fn is_read(&self) -> bool {
        match self.bench.backend {
            // Whoever reads keeps what is newer from being moved into the database.
            Sqlite => {
                self.texts("update sessions set last_used_at = last_used_at + 1 returning 'x'")
                    .await;
                let mut connection = sqlx::SqliteConnection::connect(&self.bench.text).await.unwrap();
                let short = sqlx::query("pragma busy_timeout = 200");
                short.execute(&mut connection).await.unwrap();
                let moved = sqlx::query_as::<_, (i64, i64, i64)>("pragma wal_checkpoint(truncate)");
                let (busy, _, _) = moved.fetch_one(&mut connection).await.unwrap();
                busy != 0
            }
            Postgres => {
                let held = "select count(*) || '' from pg_stat_activity where datname = current_database() \
                    and state like 'idle in transaction%'";
                self.texts(held).await != ["0"]
            }
        }
    }

    /// A recording that is longer than what waits for a reader.
    pub async fn long_recording(&self) {
        let path = self.recording(&self.acme, "179000009.1.wav", 1).await;
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(LONG)
            .unwrap();
    }

    /// What came of the last export.
    pub async fn came_of(&self) -> Value {
        let sql =
            "select after from audit_entries where action = 'data.export_end' order by number desc limit 1";
        serde_json::from_str(&self.texts(sql).await[0]).unwrap()
    }
}

#[rstest]
#[tokio::test]
async fn a46_a_reader_who_takes_nothing_holds_nothing_of_the_database_and_one_who_goes_ends_the_work(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    world.long_recording().await;
    let mut begun = world.begun(&mut maker, &caller).await.unwrap();
    begun.export.next().await.unwrap().unwrap();
    // It has read as far as it can, and waits for the reader.
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(
            begun.making.try_join_next().is_none(),
            "it did not wait for its reader"
        );
    }
    assert!(!world.is_read().await);
    // That is seen where somebody does read.
    let mut tx = world.store.read("export_calls").await.unwrap();
    tenants::find(&mut tx, world.acme.id).await.unwrap();
    assert!(world.is_read().await);
    drop(tx);
    // Whoever changes something does not wait.
    world.extension(&caller, "1002").await.unwrap();
    let Begun {
        export, mut making, ..
    } = begun;
    drop(export);
    let ended = tokio::time::timeout(Duration::from_secs(30), making.join_next()).await;
    ended.expect("it goes on without a reader").unwrap().unwrap();
    let came_of = world.came_of().await;
    assert_eq!(
        (&came_of["outcome"], &came_of["why"]),
        (&json!("cut"), &json!("reader_gone"))
    );
    assert!(came_of.get("manifest_sha256").is_none());
}

#[rstest]
#[tokio::test]
async fn a46_an_export_that_is_stopped_breaks_off_and_the_log_tells_so_before(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    world.long_recording().await;
    let mut begun = world.begun(&mut maker, &caller).await.unwrap();
    begun.export.next().await.unwrap().unwrap();
    begun.stop.cancel();
    assert!(begun.read().await.is_err(), "nobody takes it for a whole one");
    let came_of = world.came_of().await;
    assert_eq!(
        (&came_of["outcome"], &came_of["why"]),
        (&json!("cut"), &json!("stopped"))
    );
    begun.ended().await;
    // One that is asked for and not begun, too.
    let input = serde_json::from_value(json!({"tenant": true})).unwrap();
    let mut export = exports::begin(&world.app, &caller, input).await.unwrap();
    let job = maker.recv().await.unwrap();
    exports::make(world.app.clone(), job, begun.stop.clone()).await;
    assert!(export.next().await.unwrap().is_err());
    assert!(export.next().await.is_none());
}

#[rstest]
#[tokio::test]
async fn a46_whoever_may_not_export_any_more_before_the_first_byte_gets_none(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    let input = serde_json::from_value(json!({"tenant": true})).unwrap();
    let mut export = exports::begin(&world.app, &caller, input).await.unwrap();
    let job = maker.recv().await.unwrap();
    world.texts("delete from sessions returning 'x'").await;
    let making = exports::make(world.app.clone(), job, CancellationToken::new());
    let reading = async {
        let mut bytes = 0;
        while let Some(piece) = export.next().await {
            match piece {
                Ok(piece) => bytes += piece.len(),
                Err(_) => return Some(bytes),
            }
        }
        None
    };
    let ((), cut) = tokio::join!(making, reading);
    assert_eq!(cut, Some(0));
    let came_of = world.came_of().await;
    assert_eq!(
        (&came_of["outcome"], &came_of["why"]),
        (&json!("cut"), &json!("revoked"))
    );
}

#[rstest]
#[tokio::test]
async fn a46_the_log_counts_what_was_handed_over_of_an_archive_that_is_cut_in_its_manifest(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    const PIECE: usize = 64 * 1024;
    /// That wait for the reader.
    const WAITING: usize = 4;
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    world.long_recording().await;
    let whole = world
        .exported(&mut maker, &caller, json!({"tenant": true}))
        .await
        .unwrap();
    // The next one has the two entries of this one more: its manifest is to begin in the last piece but one.
    let manifest = whole.files["manifest.json"].len();
    let before = whole.bytes.len() - manifest.next_multiple_of(512) - 1536;
    let last = PIECE - manifest * 3 / 4;
    let more = (last + PIECE - before % PIECE) % PIECE / 512 * 512;
    let path = world.recorded(&world.acme).join("179000009.1.wav");
    fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(LONG + more as u64)
        .unwrap();
    let mut begun = world.begun(&mut maker, &caller).await.unwrap();
    for _ in 0..(before + more) / PIECE - WAITING {
        begun.export.next().await.unwrap().unwrap();
    }
    // As far as it comes without its reader.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let Begun {
        export, mut making, ..
    } = begun;
    drop(export);
    let ended = tokio::time::timeout(Duration::from_secs(30), making.join_next()).await;
    ended.expect("it goes on without a reader").unwrap().unwrap();
    let came_of = world.came_of().await;
    assert_eq!(
        (&came_of["outcome"], &came_of["why"]),
        (&json!("cut"), &json!("reader_gone"))
    );
    // More than stands before the manifest: the lines of two entries are shorter than that.
    let put = usize::try_from(came_of["bytes"].as_u64().unwrap()).unwrap();
    assert!(put > before + more + manifest * 3 / 4, "{came_of}");
    let rows: u64 = whole.manifest()["kinds"]
        .as_object()
        .unwrap()
        .values()
        .map(|kind| kind["rows"].as_u64().unwrap())
        .sum();
    assert_eq!(came_of["rows"], json!(rows + 2));
}

#[rstest]
#[tokio::test]
async fn a46_a_tenant_has_so_many_exports_at_once_and_the_next_one_once_one_has_ended(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    world.long_recording().await;
    let mut under_way = Vec::new();
    for _ in 0..MOST_OF_TENANT {
        under_way.push(world.begun(&mut maker, &caller).await.unwrap());
    }
    let refused = world.begun(&mut maker, &caller).await.err().unwrap();
    assert!(
        matches!(
            refused,
            AppError::TooMany {
                code: "too_many_exports",
                ..
            }
        ),
        "{refused:?}"
    );
    // One who is refused leaves no trace.
    let begun = "select action from audit_entries where action = 'data.export'";
    assert_eq!(world.texts(begun).await.len(), MOST_OF_TENANT);
    let mut first = under_way.remove(0);
    first.read().await.unwrap();
    first.ended().await;
    world.begun(&mut maker, &caller).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a46_no_more_than_a_part_of_many_calls_is_in_one_file(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    let many = match backend {
        Sqlite => {
            "insert into call_records (id, tenant_id, instance_id, call, direction, started_at, ended_at, duration, billable, \
             disposition) with recursive n(i) as (select 1 union all select i + 1 from n where i < 2500) \
             select randomblob(16), t.id, t.instance_id, 'many.' || i, 'inbound', i / 3, i, 0, 0, 'no_answer' \
             from n cross join tenants t returning call"
        }
        Postgres => {
            "insert into call_records (id, tenant_id, instance_id, call, direction, started_at, ended_at, duration, billable, \
             disposition) select gen_random_uuid(), t.id, t.instance_id, 'many.' || i, 'inbound', i / 3, i, 0, 0, 'no_answer' \
             from generate_series(1, 2500) i cross join tenants t returning call"
        }
    };
    assert_eq!(world.texts(many).await.len(), 5000);
    let archive = world
        .exported(&mut maker, &caller, json!({"tenant": true}))
        .await
        .unwrap();
    archive.check();
    let calls = archive.rows("call_records");
    assert_eq!(calls.len(), 2502);
    let mut ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2502, "each once");
    let files = archive.manifest()["files"].as_array().unwrap().clone();
    let rows: Vec<u64> = files
        .iter()
        .filter(|file| file["name"].as_str().unwrap().starts_with("call_records/"))
        .map(|file| file["rows"].as_u64().unwrap())
        .collect();
    assert_eq!(rows, [1000, 1000, 502]);
}
