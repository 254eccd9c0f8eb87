//! Exports of which the database answers something not at once: what has passed cuts none, and the log tells of each once.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::exports;
use tokio_util::sync::CancellationToken;

use super::exporting::MARKS;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

impl World {
    /// Refuses so many times to take what came of an export, by a sequence, which no transaction takes back.
    async fn refuse_ends(&self, times: u32) {
        let function = format!(
            "create function look() returns trigger language plpgsql as $$ begin \
             if nextval('refusals') <= {times} then raise exception 'not now'; end if; return new; end $$"
        );
        let trigger = "create trigger look before insert on audit_entries for each row \
            when (new.action = 'data.export_end') execute function look()";
        for statement in ["create sequence refusals", &function, trigger] {
            self.texts(statement).await;
        }
    }

    /// Whoever asks for a session is answered as by a server that starts, and leaves a lock by which that is seen.
    async fn hide_sessions(&self) {
        for statement in [
            "create function is_up() returns boolean language plpgsql as $$ begin perform pg_advisory_lock_shared(46); \
             raise exception 'not yet' using errcode = '57P03'; end $$",
            "alter table sessions rename to kept_sessions",
            "create view sessions as select * from kept_sessions where is_up()",
        ] {
            self.texts(statement).await;
        }
    }

    /// Once somebody has been answered so, it is up.
    async fn show_sessions(&self) {
        let seen = "select mode from pg_locks where locktype = 'advisory' and objid = 46 \
            and database = (select oid from pg_database where datname = current_database())";
        for _ in 0..2_000 {
            if !self.texts(seen).await.is_empty() {
                let up = "create or replace function is_up() returns boolean language sql as 'select true'";
                self.texts(up).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody asks");
    }

    async fn ends(&self) -> usize {
        let sql = "select action from audit_entries where action = 'data.export_end'";
        self.texts(sql).await.len()
    }
}

#[rstest]
#[tokio::test]
async fn a46_what_came_of_an_export_is_in_the_log_once_though_the_database_refuses_it_at_first(
    #[values("complete", "cut")] outcome: &str,
) {
    let world = World::new(Postgres).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    world.refuse_ends(2).await;
    let stop = CancellationToken::new();
    if outcome == "cut" {
        stop.cancel();
    }
    let input = serde_json::from_value(json!({"tenant": true})).unwrap();
    let mut export = exports::begin(&world.app, &caller, input).await.unwrap();
    let job = maker.recv().await.unwrap();
    let reading = async {
        let mut last = None;
        while let Some(piece) = export.next().await {
            last = Some(piece.is_ok());
        }
        last
    };
    let ((), last) = tokio::join!(exports::make(world.app.clone(), job, stop), reading);
    assert_eq!(last, Some(outcome == "complete"));
    assert_eq!(world.came_of().await["outcome"], outcome);
    assert_eq!(world.ends().await, 1);
}

/// It does not go on for ever, and nobody has a whole one.
#[tokio::test]
async fn a46_an_export_whose_end_the_log_does_not_take_is_cut() {
    let world = World::new(Postgres).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    world.refuse_ends(3).await;
    let archive = world
        .exported(&mut maker, &caller, json!({"tenant": true}))
        .await
        .unwrap();
    assert!(!archive.is_whole);
    let came_of = world.came_of().await;
    assert_eq!(
        (&came_of["outcome"], &came_of["why"]),
        (&json!("cut"), &json!("failed"))
    );
    assert_eq!(world.ends().await, 1);
}

/// As after a commit whose answer was lost.
#[rstest]
#[tokio::test]
async fn a46_what_is_in_the_log_already_of_an_export_is_not_told_again(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    let input = serde_json::from_value(json!({"tenant": true})).unwrap();
    let mut export = exports::begin(&world.app, &caller, input).await.unwrap();
    let job = maker.recv().await.unwrap();
    let id = match backend {
        Sqlite => "randomblob(16)",
        Postgres => "gen_random_uuid()",
    };
    let told = format!(
        "insert into audit_entries (number, id, at, actor_kind, operating_as, action, resource, target_id, tenant_id, \
         payload_digest, digest, salt, actor_name, after) select number + 1000, {id}, at + 60000000, actor_kind, operating_as, \
         'data.export_end', resource, target_id, tenant_id, payload_digest, digest, salt, actor_name, after \
         from audit_entries where action = 'data.export' returning action"
    );
    world.texts(&told).await;
    let reading = async {
        while let Some(piece) = export.next().await {
            piece.unwrap();
        }
    };
    tokio::join!(
        exports::make(world.app.clone(), job, CancellationToken::new()),
        reading
    );
    assert_eq!(world.ends().await, 1);
}

#[tokio::test]
async fn a46_a_database_that_is_away_for_a_moment_cuts_no_export() {
    let world = World::new(Postgres).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    let input = serde_json::from_value(json!({"tenant": true})).unwrap();
    let mut export = exports::begin(&world.app, &caller, input).await.unwrap();
    let job = maker.recv().await.unwrap();
    world.hide_sessions().await;
    let reading = async {
        while let Some(piece) = export.next().await {
            piece.unwrap();
        }
    };
    let making = exports::make(world.app.clone(), job, CancellationToken::new());
    tokio::join!(making, reading, world.show_sessions());
    assert_eq!(world.came_of().await["outcome"], "complete");
}

/// What is wrong with the database itself is not waited for.
#[rstest]
#[tokio::test]
async fn a46_an_export_that_fails_breaks_off_and_the_log_tells_so(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    world.texts("alter table purges rename to lost_purges").await;
    let archive = world
        .exported(&mut maker, &caller, json!({"tenant": true}))
        .await
        .unwrap();
    assert!(!archive.is_whole);
    let came_of = world.came_of().await;
    assert_eq!(
        (&came_of["outcome"], &came_of["why"]),
        (&json!("cut"), &json!("failed"))
    );
    assert_eq!(world.ends().await, 1);
}
