//! A purge of many records of calls: how long it takes, and how long others wait meanwhile.

use std::io::{self, Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::box_of_tenants::{EXTENSIONS, Shadow};
use super::connection::Connection;
use super::daemon::Daemon;
use super::load::{get, request, shares, sign_in};
use super::pbx::open_directory;
use super::times::ms;
use super::{Outcome, own_process};

/// Tenants; the first has all the calls.
pub const TENANTS: &str = "10";
/// Owners of others, each with a connection.
const OTHERS: usize = 8;
/// Each of them sends a request so often.
const EVERY: Duration = Duration::from_millis(50);
/// For so long without a purge.
const BEFORE: Duration = Duration::from_secs(20);
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
    let mut others = Vec::new();
    for place in 1..=OTHERS {
        let token = sign_in(&address, &format!("owner{place}@example.com")).await?;
        others.push(requests(&address, &token).await?);
    }
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

fn text(answer: &Value, pointer: &str) -> Outcome<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    Ok(found.ok_or_else(|| format!("no {pointer}: {answer}"))?.to_owned())
}

/// What somebody asks for in turn: two to read, and one to change something.
async fn requests(address: &str, token: &str) -> Outcome<Vec<Vec<u8>>> {
    let extensions = get("/api/v1/extensions?per_page=25", token, "");
    let page = Connection::open(address).await?.ask(&extensions).await?;
    let id = text(&page, "/data/0/id")?;
    let by = format!("Authorization: Bearer {token}\r\n");
    let mut all = Vec::new();
    for ring_time in [20, 21] {
        let body = json!({"ring_time": ring_time}).to_string();
        all.push(extensions.clone());
        all.push(get("/api/v1/calls?per_page=25", token, ""));
        all.push(request("PATCH", &format!("/api/v1/extensions/{id}"), &by, &body));
    }
    Ok(all)
}

/// Those who ask, until they are ended.
struct Asking {
    tasks: JoinSet<io::Result<()>>,
    /// Whether something was changed, and how long the answer took.
    times: UnboundedReceiver<(bool, Duration)>,
}

fn ask(address: &str, others: &[Vec<Vec<u8>>]) -> Asking {
    let (told, times) = unbounded_channel();
    let mut tasks = JoinSet::new();
    for requests in others {
        let (requests, address, told) = (requests.clone(), address.to_owned(), told.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for request in requests.iter().cycle() {
                ticks.tick().await;
                let sent = Instant::now();
                connection.send(request).await?;
                if told
                    .send((request.starts_with(b"PATCH"), sent.elapsed()))
                    .is_err()
                {
                    break;
                }
            }
            Ok(())
        });
    }
    Asking { tasks, times }
}

/// Ends it, and tells how long answers took.
async fn told(asking: &mut Asking) -> Outcome<()> {
    if let Some(ended) = asking.tasks.try_join_next() {
        ended??;
    }
    asking.tasks.shutdown().await;
    asking.times.close();
    let (mut read, mut changed) = (Vec::new(), Vec::new());
    while let Some((is_change, time)) = asking.times.recv().await {
        if is_change {
            changed.push(time);
        } else {
            read.push(time);
        }
    }
    let mut all: Vec<Duration> = read.iter().chain(&changed).copied().collect();
    for (what, times) in [("all", &mut all), ("read", &mut read), ("changed", &mut changed)] {
        writeln!(stdout(), "  {what}: {} requests, {}", times.len(), shares(times))?;
    }
    Ok(())
}
