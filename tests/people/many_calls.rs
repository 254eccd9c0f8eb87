//! A tenant with many calls goes: some of them at a time, so that nobody else's change waits for all.

use rstest::rstest;
use switchyard::app::{operator, tenant_deletion};
use switchyard::domain::tenant::Tenant;
use switchyard::store::tenant_lifecycle;
use tempfile::TempDir;

use super::gone::world;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

/// As many as take several portions.
const CALLS: u64 = 2_500;

impl World {
    /// Calls of both tenants.
    async fn many_calls(&self) {
        let id = match self.bench.backend {
            Sqlite => "randomblob(16)",
            Postgres => "gen_random_uuid()",
        };
        self.texts(&format!(
            "with recursive n(n) as (select 1 union all select n + 1 from n where n < {CALLS}) \
             insert into call_records (id, tenant_id, instance_id, call, direction, started_at, ended_at, duration, billable, \
             disposition) select {id}, t.id, t.instance_id, 'call' || n, 'internal', n, n, 0, 0, 'answered' \
             from tenants t cross join n"
        ))
        .await;
    }

    /// The database deletes no tenant that has calls.
    async fn keep_tenants_with_calls(&self) {
        let statements: &[&str] = match self.bench.backend {
            Sqlite => &["create trigger calls_are_left before delete on tenants \
                when exists (select 1 from call_records where tenant_id = old.id) \
                begin select raise(abort, 'calls are left'); end"],
            Postgres => &[
                "create function calls_are_left() returns trigger language plpgsql as $$ begin \
                 if exists (select 1 from call_records where tenant_id = old.id) then raise exception 'calls are left'; \
                 end if; return old; end $$",
                "create trigger calls_are_left before delete on tenants for each row execute function calls_are_left()",
            ],
        };
        for statement in statements {
            self.texts(statement).await;
        }
    }

    /// The database deletes no call of a tenant that has no more than so many.
    async fn keep_the_last(&self, calls: u64) {
        let few = format!("(select count(*) from call_records where tenant_id = old.tenant_id) <= {calls}");
        let statements = match self.bench.backend {
            Sqlite => vec![format!(
                "create trigger last_are_kept before delete on call_records when {few} \
                 begin select raise(abort, 'the last are kept'); end"
            )],
            Postgres => vec![
                format!(
                    "create function last_are_kept() returns trigger language plpgsql as $$ begin \
                     if {few} then raise exception 'the last are kept'; end if; return old; end $$"
                ),
                "create trigger last_are_kept before delete on call_records for each row execute function last_are_kept()"
                    .to_owned(),
            ],
        };
        for statement in statements {
            self.texts(&statement).await;
        }
    }

    async fn let_the_last_go(&self) {
        let statement = match self.bench.backend {
            Sqlite => "drop trigger last_are_kept",
            Postgres => "drop trigger last_are_kept on call_records",
        };
        self.texts(statement).await;
    }

    async fn calls(&self) -> Vec<String> {
        let sql = "select t.name || ' ' || count(*) from tenants t join call_records r on r.tenant_id = t.id \
            group by t.name order by t.name";
        self.texts(sql).await
    }

    async fn portion(&self, tenant: &Tenant, most: i64) -> u64 {
        let mut tx = self.store.begin("portion").await.unwrap();
        let forgotten = tenant_lifecycle::forget_calls(&mut tx, tenant.id, most).await;
        tx.commit().await.unwrap();
        forgotten.unwrap()
    }
}

#[rstest]
#[tokio::test]
async fn o40_a_tenants_calls_go_in_portions_before_it_and_one_that_was_cut_off_goes_on(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    world.many_calls().await;
    assert_eq!(world.portion(&world.acme, 1_000).await, 0, "it is to stay");
    world.let_go(&world.acme).await;
    // As where the process was killed after that.
    assert_eq!(world.portion(&world.acme, 1_000).await, 1_000);
    assert_eq!(world.calls().await, ["Acme 1500", "Globex 2500"]);

    // What went before it was stopped has gone for good.
    let platform = operator::platform(None);
    world.keep_the_last(500).await;
    let stopped = tenant_deletion::finish(&world.app, &platform, world.acme.id).await;
    assert!(stopped.is_err());
    assert_eq!(world.calls().await, ["Acme 500", "Globex 2500"]);

    world.let_the_last_go().await;
    world.keep_tenants_with_calls().await;
    let finished = tenant_deletion::finish(&world.app, &platform, world.acme.id).await;
    assert!(finished.unwrap());
    assert_eq!(world.calls().await, ["Globex 2500"]);
}
