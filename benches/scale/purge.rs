//! A purge of many records of calls, and one of payloads of the audit log: how long each takes, and how long others wait meanwhile.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchyard::app::audit_log;
use tokio::time::sleep;

use super::box_of_tenants::{EXTENSIONS, Shadow, open, platform};
use super::connection::Connection;
use super::daemon::Daemon;
use super::databases::{Kind, OnServer, execute, kind};
use super::load::{get, request, sign_in};
use super::old_log::OWNER;
use super::others::{EVERY, OTHERS, all, ask, text, told, undisturbed};
use super::pbx::open_directory;
use super::times::ms;
use super::{Outcome, own_process};

/// Tenants; the first has all the calls.
pub const TENANTS: &str = "10";
/// A purge that takes longer is given up.
const LONGEST: Duration = Duration::from_mins(30);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(200);

pub fn measure(database: &str, calls: &str, entries: &str) -> Outcome<()> {
    let directory = open_directory()?;
    let runtime = tokio::runtime::Runtime::new()?;
    match database {
        "sqlite" => measured(directory.path(), "SQLite", calls, entries),
        "postgres" => {
            let own = runtime.block_on(OnServer::create(directory.path()))?;
            let measured = measured(directory.path(), &own.settings, calls, entries);
            runtime.block_on(own.drop())?;
            measured
        }
        other => Err(format!("unknown database: {other}").into()),
    }
}

fn measured(directory: &Path, database: &str, calls: &str, entries: &str) -> Outcome<()> {
    let path = directory.display().to_string();
    writeln!(
        stdout(),
        "{calls} records of calls of one of {TENANTS} tenants with {EXTENSIONS} extensions each, and another tenant with {entries} \
         entries in the audit log, on {database}; {OTHERS} owners of other tenants, each with a request every {} ms; the generator \
         is part of this program, on the same cores",
        EVERY.as_millis()
    )?;
    own_process(&["make", &path, TENANTS])?;
    own_process(&["people", &path])?;
    own_process(&["old-log", &path, entries])?;
    own_process(&["old-calls", &path, calls])?;
    own_process(&["purged", &path])
}

/// Gives the first owner's tenant calls from two years ago, each with what a PBX tells of it.
pub async fn fill(directory: &Path, calls: u64) -> Outcome<()> {
    let told = json!({
        "key": "1790000000.1:1", "channel": "1790000000.1", "is_of_called": false, "left": false,
        "caller": {"number": "1001", "domain": "tenant0.example.com"}, "called": {"number": "1002", "domain": "tenant0.example.com"},
        "from_number": "1001", "from_name": "Ann", "to": "1002", "started": "2024-01-01T00:00:00Z", "answered": "2024-01-01T00:00:00Z",
        "ended": "2024-01-01T00:00:00Z", "disposition": "answered", "cause": null,
    });
    let (id, quickly) = match kind(directory) {
        Kind::Sqlite => ("randomblob(16)", "pragma synchronous = off"),
        Kind::Postgres => ("gen_random_uuid()", "set synchronous_commit = off"),
    };
    let tenant = "(select tenant_id from users where email = 'owner0@example.com')";
    let mut statements = vec![
        quickly.to_owned(),
        format!(
            "with recursive n(n) as (select cast(1 as bigint) union all select n + 1 from n where n < {calls}) \
             insert into call_records (id, tenant_id, instance_id, call, from_number, to_number, direction, started_at, \
             answered_at, ended_at, duration, billable, disposition) select {id}, t.id, t.instance_id, \
             'call' || n, '1001', '1002', 'internal', t.created_at - 63072000000000 + n * 1000, null, \
             t.created_at - 63072000000000 + n * 1000, 0, 0, 'answered' from tenants t cross join n where t.id = {tenant}"
        ),
        format!(
            "insert into call_record_parts (record_id, part, channel, told) select id, call, call, '{told}' from call_records"
        ),
        format!(
            "insert into call_record_extensions (record_id, extension_id) select r.id, e.id from call_records r \
             cross join (select id from extensions where tenant_id = {tenant} order by number limit 2) e"
        ),
    ];
    if kind(directory) == Kind::Postgres {
        // As a server does by itself some minutes later.
        statements.push("analyze".to_owned());
    }
    execute(directory, statements).await
}

/// Starts the daemon on it, and has the calls removed, and then the payloads blanked.
pub async fn purged(directory: &Path) -> Outcome<()> {
    let daemon = Daemon::start(directory, Shadow::Never).await?;
    let address = daemon.address().to_owned();
    let others = all(&address).await?;
    writeln!(stdout(), "before")?;
    undisturbed(&address, &others).await?;
    for (what, owner, kind) in [
        ("calls are removed", "owner0", "call_records"),
        ("payloads of the audit log are blanked", OWNER, "audit_payloads"),
    ] {
        writeln!(stdout(), "while {what}")?;
        let token = sign_in(&address, &format!("{owner}@example.com")).await?;
        purge(&address, &others, &token, kind).await?;
    }
    let most = daemon.memory("VmHWM")?;
    writeln!(stdout(), "memory of the daemon: {most} kB at most")?;
    daemon.stop().await?;
    let opened = open(directory, Shadow::Never).await?;
    let report = audit_log::verify(&opened.parts.app, &platform(), None).await?;
    opened.parts.store.close().await;
    if report.ok {
        Ok(())
    } else {
        Err("the audit log is not whole any more".into())
    }
}

/// Has what is older than a year of one kind go, while others ask.
async fn purge(address: &str, others: &[Vec<Vec<u8>>], token: &str, kind: &str) -> Outcome<()> {
    let by = format!("Authorization: Bearer {token}\r\n");
    let mut connection = Connection::open(address).await?;
    let keep = json!({kind: 365}).to_string();
    let put = request("PUT", "/api/v1/compliance/retention", &by, &keep);
    connection.send(&put).await?;
    let mut asking = ask(address, others);
    let begun = Instant::now();
    let purge = request("POST", "/api/v1/compliance/purge?dry_run", &by, "");
    let counted = connection.ask(&purge).await?;
    writeln!(stdout(), "  counted beforehand in {}", ms(begun.elapsed()))?;
    let begun = Instant::now();
    // It is answered 202, which this connection takes for no good answer.
    let purge = request("POST", "/api/v1/compliance/purge", &by, "");
    let _ = Connection::open(address).await?.send(&purge).await;
    let report = loop {
        let list = connection
            .ask(&get("/api/v1/compliance/purges?per_page=1", token, ""))
            .await?;
        let id = text(&list, "/data/0/id")?;
        let report = connection
            .ask(&get(&format!("/api/v1/compliance/purges/{id}"), token, ""))
            .await?;
        if text(&report, "/data/status")? != "running" {
            break report;
        }
        if begun.elapsed() > LONGEST {
            return Err(format!("it does not end: {report}").into());
        }
        sleep(LOOK).await;
    };
    let took = begun.elapsed();
    told(&mut asking).await?;
    let part = |of: &Value, name: &str| {
        of.pointer(&format!("/data/parts/0/{name}"))
            .cloned()
            .unwrap_or_default()
    };
    writeln!(
        stdout(),
        "  {} of {} gone in {:.0} s",
        part(&report, "removed"),
        part(&counted, "found"),
        took.as_secs_f64()
    )?;
    Ok(())
}
