//! Killed in the middle of an erasure: the next daemon goes on, nothing is counted twice, and the log holds.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{audit_log, erasures, operator};
use switchyard::domain::erasure::{Erasure, ErasurePart, ErasurePlace, ErasureStatus};
use switchyard::domain::ids::ErasureId;

use super::support::database::Backend::Sqlite;
use super::support::host::Host;

/// Calls, each of them recorded.
const CALLS: i64 = 600;
/// Entries of the audit log that name the number.
const ENTRIES: i64 = 1_000;
const KILLS: u64 = 10;
const NUMBER: &str = "+49301";

impl Host {
    /// A call of each recording's channel, from the number.
    async fn calls_from_number(&self) {
        let at = "(select max(created_at) from tenants) - 5184000000000";
        let calls = format!(
            "with recursive n(n) as (select 1 union all select n + 1 from n where n < {CALLS}) \
             insert into call_records (id, tenant_id, instance_id, call, from_number, direction, started_at, ended_at, duration, \
             billable, disposition) select randomblob(16), t.id, t.instance_id, '179000' || (1000 + n) || '.1', '{NUMBER}', \
             'inbound', {at} + n, {at} + n, 0, 0, 'answered' from tenants t cross join n where t.domain = 'acme.example.com' \
             returning call"
        );
        assert_eq!(i64::try_from(self.ask(&calls).await.len()).unwrap(), CALLS);
        let told = json!({
            "key": "1", "channel": "1", "is_of_called": false, "left": false, "caller": null, "called": null,
            "from_number": NUMBER, "from_name": null, "to": null, "started": "2026-01-01T00:00:00Z", "answered": null,
            "ended": "2026-01-01T00:00:00Z", "disposition": "answered", "cause": null,
        });
        let parts = format!(
            "insert into call_record_parts (record_id, part, channel, told) select id, call, call, '{told}' from call_records \
             returning part"
        );
        assert_eq!(i64::try_from(self.ask(&parts).await.len()).unwrap(), CALLS);
    }

    async fn erasure(&self, id: ErasureId) -> Erasure {
        let found = erasures::find(&self.app, &self.tenants[0].caller, id).await;
        found.unwrap()
    }

    /// How many rows say the number still.
    async fn naming(&self, table: &str, column: &str) -> i64 {
        let sql = format!("select count(*) || '' from {table} where {column} like '%{NUMBER}%'");
        self.ask(&sql).await[0].parse().unwrap()
    }
}

fn part(erasure: &Erasure, place: ErasurePlace) -> Option<&ErasurePart> {
    erasure.parts.iter().find(|part| part.place == place)
}

/// How many of a place are counted.
fn erased(erasure: &Erasure, place: ErasurePlace) -> i64 {
    part(erasure, place).map_or(0, |part| part.erased)
}

#[tokio::test]
async fn a22_an_erasure_that_is_killed_goes_on_and_counts_nothing_twice() {
    let host = Host::new(Sqlite, 2).await;
    host.say(Sqlite, ENTRIES, Some(json!({"to": NUMBER}))).await;
    let own = host.recordings(CALLS).await;
    host.calls_from_number().await;
    let caller = &host.tenants[0].caller;
    let input = serde_json::from_value(json!({"number": NUMBER})).unwrap();
    let asked = erasures::request(&host.app, caller, input, None).await;
    let id = asked.unwrap().into_inner().id;
    erasures::run(&host.app, caller, id, &IfMatch::Any, None)
        .await
        .unwrap();
    let gone = || CALLS - i64::try_from(fs::read_dir(&own).unwrap().count()).unwrap();
    let platform = operator::platform(None);
    let deadline = Instant::now() + Duration::from_mins(3);
    let mut seen = Vec::new();
    for kill in 0..KILLS {
        let done = async || {
            let now = host.erasure(id).await;
            let counted = now.parts.iter().map(|part| part.erased).sum::<i64>();
            (now.status, counted + gone())
        };
        let (_, before) = done().await;
        let daemon = host.daemon();
        // Until it has gone on by more than one batch.
        loop {
            let (status, now) = done().await;
            if status != ErasureStatus::Running || now >= before + 150 {
                break;
            }
            assert!(Instant::now() < deadline, "{:#?}", host.erasure(id).await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // At another place of what it does with a batch each time.
        tokio::time::sleep(Duration::from_millis(kill * 11)).await;
        assert!(daemon.kill());
        let now = host.erasure(id).await;
        let [recordings, calls, entries] = [
            ErasurePlace::Recordings,
            ErasurePlace::CallRecords,
            ErasurePlace::AuditPayloads,
        ]
        .map(|place| erased(&now, place));
        seen.push((now.status, recordings, calls, entries));
        // Files that went and were not counted are those of one batch at most.
        assert!(
            (gone() - 20..=gone()).contains(&recordings),
            "{seen:?} of {}",
            gone()
        );
        assert_eq!(
            calls + host.naming("call_records", "from_number").await,
            CALLS,
            "{seen:?}"
        );
        assert_eq!(
            entries + host.naming("audit_entries", "after").await,
            ENTRIES,
            "{seen:?}"
        );
        let log = audit_log::verify(&host.app, &platform, None).await.unwrap();
        assert!(log.ok, "{log:?}");
        if now.status != ErasureStatus::Running {
            break;
        }
    }
    let running = seen
        .iter()
        .filter(|(status, ..)| *status == ErasureStatus::Running);
    assert!(running.count() >= 4, "it was killed too late: {seen:?}");
    let _daemon = host.daemon();
    while host.erasure(id).await.status == ErasureStatus::Running {
        assert!(Instant::now() < deadline, "{:#?}", host.erasure(id).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ended = host.erasure(id).await;
    let counts = |place| {
        let part = part(&ended, place).unwrap();
        (part.found.unwrap(), part.erased, part.kept)
    };
    assert_eq!(counts(ErasurePlace::Recordings), (CALLS, CALLS, 0));
    assert_eq!(counts(ErasurePlace::CallRecords), (CALLS, CALLS, 0));
    assert_eq!(counts(ErasurePlace::AuditPayloads), (ENTRIES, ENTRIES, 0));
    assert_eq!(part(&ended, ErasurePlace::Recordings).unwrap().bytes, 4 * CALLS);
    assert_eq!(gone(), CALLS);
    assert_eq!(host.naming("call_record_parts", "told").await, 0);
    let log = audit_log::verify(&host.app, &platform, None).await.unwrap();
    assert!(log.ok, "{log:?}");
    assert_eq!(i64::try_from(log.blanked).unwrap(), ENTRIES);
    let ends = "select action from audit_entries where action = 'data.erasure_end'";
    assert_eq!(host.ask(ends).await.len(), 1);
}
