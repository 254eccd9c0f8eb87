//! How a long audit log behaves: writing it, checking it, exporting it, and looking things up in it.
//!
//! `cargo bench --bench audit` measures a million entries on SQLite, and on PostgreSQL where
//! `SWITCHYARD_TEST_POSTGRES_URL` names a server; `cargo bench --bench audit -- 10000` measures so many. Every part runs in
//! a process of its own, so that none is charged with another's memory.

#[expect(dead_code, reason = "another benchmark uses the rest of it")]
#[path = "scale/memory.rs"]
mod memory;

use std::error::Error;
use std::io::{Write as _, stdout};
use std::process::Command;
use std::time::Instant;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use switchyard::app::error::AppError;
use switchyard::app::{audit_log, operator};
use switchyard::config::{Config, Environment};
use switchyard::daemon::database;
use switchyard::daemon::parts::{self, Parts};
use switchyard::domain::audit::{Actor, ActorKind, AuditEntry, Salt};
use switchyard::domain::audit_query::{AuditFilter, AuditQuery};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{AuditId, IdSource as _, SystemIds, TenantId};
use switchyard::domain::random::SystemRandom;
use switchyard::store::{Store, audit};
use tokio::task::JoinSet;

use memory::memory;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const ENTRIES: u64 = 1_000_000;
/// Entries of one transaction while the log is made.
const AT_ONCE: u64 = 1_000;
/// Transactions of one entry each, by so many at the same time.
const SINGLE: u64 = 2_000;
const WRITERS: u64 = 8;
/// A tenant that has one entry in a hundred, and an actor who wrote one in all.
const SOME_TENANT: u128 = 7;
const RARE: &str = "rare@example.com";

fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.as_slice() {
        [] => runtime.block_on(everything(ENTRIES)),
        [part, url, entries] => runtime.block_on(measure(part, url, entries.parse()?)),
        [entries] => runtime.block_on(everything(entries.parse()?)),
        other => Err(format!("unknown part: {}", other.join(" ")).into()),
    }
}

async fn everything(entries: u64) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let sqlite = format!("sqlite:{}", directory.path().join("audit.db").display());
    all_parts(&sqlite, entries)?;
    let Ok(server) = std::env::var("SWITCHYARD_TEST_POSTGRES_URL") else {
        return Ok(());
    };
    let name = format!("switchyard_bench_{}", SystemIds.next().simple());
    let mut connection = PgConnection::connect(&server).await?;
    connection
        .execute(AssertSqlSafe(format!("create database {name}")))
        .await?;
    let (authority, _) = server.rsplit_once('/').ok_or("no path in the server's URL")?;
    let measured = all_parts(&format!("{authority}/{name}"), entries);
    connection
        .execute(AssertSqlSafe(format!("drop database {name}")))
        .await?;
    measured
}

fn all_parts(url: &str, entries: u64) -> Outcome<()> {
    let kind = url.split(':').next().unwrap_or_default();
    writeln!(stdout(), "{kind}, {entries} entries")?;
    for part in ["single", "make", "verify", "export", "look"] {
        let program = std::env::current_exe()?;
        let status = Command::new(program)
            .args([part, url, &entries.to_string()])
            .status()?;
        if !status.success() {
            return Err(format!("the part `{part}` failed").into());
        }
    }
    Ok(())
}

async fn measure(part: &str, url: &str, entries: u64) -> Outcome<()> {
    let environment: Environment = [("SWITCHYARD_DATABASE_URL", url)].into_iter().collect();
    let config = Config::load(None, &environment)?.config;
    database::migrate(&config).await?;
    let parts = parts::assemble(&config).await?;
    let before = memory(std::process::id(), "VmRSS")?;
    let begun = Instant::now();
    let what = match part {
        "single" => single(&parts.store).await?,
        "make" => make(&parts.store, entries).await?,
        "verify" => verify(&parts).await?,
        "export" => export(&parts).await?,
        "look" => look(&parts).await?,
        other => return Err(format!("unknown part: {other}").into()),
    };
    let took = begun.elapsed();
    let most = memory(std::process::id(), "VmHWM")?;
    writeln!(
        stdout(),
        "  {part}: {took:.2?}; {what}; memory {before} kB before, {most} kB at most"
    )?;
    parts.store.close().await;
    Ok(())
}

/// Transactions that write nothing but one entry each.
async fn single(store: &Store) -> Outcome<String> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for n in 0..SINGLE / WRITERS {
                write(&store, &[entry(writer * SINGLE + n)]).await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    Ok(format!(
        "{SINGLE} transactions of one entry, {WRITERS} at the same time"
    ))
}

async fn make(store: &Store, entries: u64) -> Outcome<String> {
    let mut made = 0;
    while made < entries {
        let upto = entries.min(made + AT_ONCE);
        let batch: Vec<AuditEntry> = (made..upto).map(entry).collect();
        write(store, &batch).await?;
        made = upto;
    }
    Ok(format!("{AT_ONCE} entries a transaction"))
}

async fn verify(parts: &Parts) -> Outcome<String> {
    let report = audit_log::verify(&parts.app, &operator::platform(None), None).await?;
    if !report.ok {
        return Err("the log is not whole".into());
    }
    Ok(format!("{} entries are as they were written", report.entries))
}

async fn export(parts: &Parts) -> Outcome<String> {
    let mut bytes = 0;
    let take = |record: switchyard::domain::audit::AuditRecord| -> Result<(), AppError> {
        let view = switchyard::app::views::AuditEntryView::of_platform(record);
        bytes += serde_json::to_string(&view).map_or(0, |line| line.len());
        Ok(())
    };
    audit_log::export(
        &parts.app,
        &operator::platform(None),
        None,
        &AuditFilter::default(),
        take,
    )
    .await?;
    Ok(format!("{} MB of JSON lines", bytes / 1_000_000))
}

/// The pages that somebody looks at.
async fn look(parts: &Parts) -> Outcome<String> {
    let caller = operator::platform(None);
    let tenant = Some(TenantId::from_uuid(uuid::Uuid::from_u128(SOME_TENANT)));
    let rare = AuditFilter {
        actor: Some(RARE.to_owned()),
        ..AuditFilter::default()
    };
    let mut told = Vec::new();
    for (what, tenant, filter) in [
        ("newest", None, AuditFilter::default()),
        ("of a tenant", tenant, AuditFilter::default()),
        ("of an actor with one entry", None, rare),
    ] {
        let query = AuditQuery {
            filter,
            ..AuditQuery::default()
        };
        let begun = Instant::now();
        let page = audit_log::list_all(&parts.app, &caller, tenant, &query).await?;
        told.push(format!(
            "page {what}: {:.2?}, {} entries",
            begun.elapsed(),
            page.entries.len()
        ));
    }
    Ok(told.join("; "))
}

async fn write(store: &Store, entries: &[AuditEntry]) -> Outcome<()> {
    let mut tx = store.begin("write").await?;
    for entry in entries {
        audit::append(&mut tx, entry, Salt::generate(&SystemRandom)?)?;
    }
    Ok(tx.commit().await?)
}

fn entry(n: u64) -> AuditEntry {
    let name = if n == 0 { RARE } else { "ann@example.com" };
    AuditEntry {
        id: AuditId::fresh(&SystemIds),
        at: SystemClock.now(),
        actor: Actor {
            kind: ActorKind::User,
            id: Some(SystemIds.next()),
            name: name.to_owned(),
        },
        operating_as: false,
        action: "extension.change".to_owned(),
        resource: "extension".to_owned(),
        target_id: SystemIds.next().to_string(),
        tenant_id: Some(TenantId::from_uuid(uuid::Uuid::from_u128(u128::from(n % 100)))),
        before: Some(
            json!({"number": "1001", "name": "Ann", "ring_time": 30, "voicemail": {"enabled": true}}),
        ),
        after: Some(
            json!({"number": "1001", "name": "Ann", "ring_time": 31, "voicemail": {"enabled": true}}),
        ),
        reason: Some("asked by phone".to_owned()),
        request_id: Some(SystemIds.next().to_string()),
        address: Some("192.0.2.1".to_owned()),
        agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
    }
}
