//! A purge of many records of calls: how long it takes, and how long others wait meanwhile.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tokio::time::sleep;

use super::box_of_tenants::{EXTENSIONS, Shadow};
use super::connection::Connection;
use super::daemon::Daemon;
use super::load::{get, request, sign_in};
use super::others::{BEFORE, EVERY, OTHERS, all, ask, text, told};
use super::pbx::open_directory;
use super::times::ms;
use super::{Outcome, own_process};

/// Tenants; the first has all the calls.
pub const TENANTS: &str = "10";
/// A purge that takes longer is given up.
const LONGEST: Duration = Duration::from_mins(30);

pub fn measure(calls: &str) -> Outcome<()> {
    let directory = open_directory()?;
    let path = directory.path().display().to_string();
    writeln!(
        stdout(),
        "{calls} records of calls of one of {TENANTS} tenants with {EXTENSIONS} extensions each, on SQLite; {OTHERS} owners of \
         other tenants, each with a request every {} ms; the generator is part of this program, on the same cores",
        EVERY.as_millis()
    )?;
    own_process(&["make", &path, TENANTS])?;
    own_process(&["people", &path])?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(fill(directory.path(), calls.parse()?))?;
    own_process(&["purged", &path])
}

/// Gives the first owner's tenant calls from two years ago, each with what a PBX tells of it.
pub async fn fill(directory: &Path, calls: u64) -> Outcome<()> {
    let url = format!("sqlite:{}", directory.join("scale.db").display());
    let mut database = SqliteConnection::connect(&url).await?;
    let told = json!({
        "key": "1790000000.1:1", "channel": "1790000000.1", "is_of_called": false, "left": false,
        "caller": {"number": "1001", "domain": "tenant0.example.com"}, "called": {"number": "1002", "domain": "tenant0.example.com"},
        "from_number": "1001", "from_name": "Ann", "to": "1002", "started": "2024-01-01T00:00:00Z", "answered": "2024-01-01T00:00:00Z",
        "ended": "2024-01-01T00:00:00Z", "disposition": "answered", "cause": null,
    });
    let tenant = "(select tenant_id from users where email = 'owner0@example.com')";
    let statements = [
        "pragma synchronous = off".to_owned(),
        format!(
            "with recursive n(n) as (select 1 union all select n + 1 from n where n < {calls}) \
             insert into call_records (id, tenant_id, instance_id, call, from_number, to_number, direction, started_at, \
             answered_at, ended_at, duration, billable, disposition) select randomblob(16), t.id, t.instance_id, \
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
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut database)
            .await?;
    }
    Ok(database.close().await?)
}

/// Starts the daemon on it and has the calls removed.
pub async fn purged(directory: &Path) -> Outcome<()> {
    let daemon = Daemon::start(directory, Shadow::Never).await?;
    let address = daemon.address().to_owned();
    let others = all(&address).await?;
    let token = sign_in(&address, "owner0@example.com").await?;
    writeln!(stdout(), "before")?;
    let mut asking = ask(&address, &others);
    sleep(BEFORE).await;
    told(&mut asking).await?;

    // Not before: one that says nothing is closed.
    let mut connection = Connection::open(&address).await?;
    let keep = json!({"call_records": 365}).to_string();
    let by = format!("Authorization: Bearer {token}\r\n");
    let put = request("PUT", "/api/v1/compliance/retention", &by, &keep);
    connection.send(&put).await?;
    writeln!(stdout(), "while it is purged")?;
    let mut asking = ask(&address, &others);
    let begun = Instant::now();
    let purge = request("POST", "/api/v1/compliance/purge?dry_run", &by, "");
    let counted = connection.ask(&purge).await?;
    writeln!(stdout(), "  counted beforehand in {}", ms(begun.elapsed()))?;
    let begun = Instant::now();
    // It is answered 202, which this connection takes for no good answer.
    let purge = request("POST", "/api/v1/compliance/purge", &by, "");
    let _ = Connection::open(&address).await?.send(&purge).await;
    let removed = loop {
        let list = connection
            .ask(&get("/api/v1/compliance/purges?per_page=1", &token, ""))
            .await?;
        let id = text(&list, "/data/0/id")?;
        let report = connection
            .ask(&get(&format!("/api/v1/compliance/purges/{id}"), &token, ""))
            .await?;
        if text(&report, "/data/status")? != "running" {
            break report.pointer("/data/parts/0/removed").cloned();
        }
        if begun.elapsed() > LONGEST {
            return Err(format!("it does not end: {report}").into());
        }
        sleep(Duration::from_millis(200)).await;
    };
    let took = begun.elapsed();
    told(&mut asking).await?;
    let found = counted.pointer("/data/parts/0/found").cloned();
    writeln!(
        stdout(),
        "  {} of {} removed in {:.0} s",
        removed.unwrap_or_default(),
        found.unwrap_or_default(),
        took.as_secs_f64()
    )?;
    let most = daemon.memory("VmHWM")?;
    writeln!(stdout(), "memory of the daemon: {most} kB at most")?;
    daemon.stop().await
}
