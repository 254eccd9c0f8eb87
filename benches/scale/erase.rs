//! An erasure of a person with many calls: how long it is looked for and takes, and how long others wait meanwhile.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::box_of_tenants::{EXTENSIONS, Shadow};
use super::connection::Connection;
use super::daemon::Daemon;
use super::load::{get, request, sign_in};
use super::others::{BEFORE, EVERY, OTHERS, all, ask, text, told};
use super::pbx::open_directory;
use super::purge::{TENANTS, fill};
use super::{Outcome, own_process};

/// One that takes longer is given up.
const LONGEST: Duration = Duration::from_hours(1);
const ROUTE: &str = "/api/v1/compliance/erasure-requests";

pub fn measure(calls: &str) -> Outcome<()> {
    let directory = open_directory()?;
    let path = directory.path().display().to_string();
    writeln!(
        stdout(),
        "{calls} records of calls of one extension of one of {TENANTS} tenants with {EXTENSIONS} extensions each, on SQLite; \
         {OTHERS} owners of other tenants, each with a request every {} ms; the generator is part of this program, on the same cores",
        EVERY.as_millis()
    )?;
    own_process(&["make", &path, TENANTS])?;
    own_process(&["people", &path])?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(fill(directory.path(), calls.parse()?))?;
    own_process(&["erased", &path])
}

/// Starts the daemon on it and has the extension erased.
pub async fn erased(directory: &Path) -> Outcome<()> {
    let daemon = Daemon::start(directory, Shadow::Never).await?;
    let address = daemon.address().to_owned();
    let others = all(&address).await?;
    let token = sign_in(&address, "owner0@example.com").await?;
    let by = format!("Authorization: Bearer {token}\r\n");
    writeln!(stdout(), "before")?;
    let mut asking = ask(&address, &others);
    sleep(BEFORE).await;
    told(&mut asking).await?;

    // Not before: one that says nothing is closed.
    let mut connection = Connection::open(&address).await?;
    let extensions = connection
        .ask(&get("/api/v1/extensions?per_page=100", &token, ""))
        .await?;
    let id = first_extension(&extensions)?;
    writeln!(stdout(), "while it is looked for")?;
    let mut asking = ask(&address, &others);
    let begun = Instant::now();
    let body = json!({"extension": id}).to_string();
    // It is answered 201, which this connection takes for no good answer.
    let asked = request("POST", ROUTE, &by, &body);
    let _ = Connection::open(&address).await?.send(&asked).await;
    let took = begun.elapsed();
    told(&mut asking).await?;
    writeln!(stdout(), "  looked for in {:.1} s", took.as_secs_f64())?;

    writeln!(stdout(), "while it is erased")?;
    let mut connection = Connection::open(&address).await?;
    let list = connection
        .ask(&get(&format!("{ROUTE}?per_page=1"), &token, ""))
        .await?;
    let one = format!("{ROUTE}/{}", text(&list, "/data/0/id")?);
    let mut asking = ask(&address, &others);
    let begun = Instant::now();
    // It is answered 202.
    let run = request("POST", &format!("{one}/run"), &by, "");
    let _ = Connection::open(&address).await?.send(&run).await;
    let erasure = loop {
        let erasure = connection.ask(&get(&one, &token, "")).await?;
        if !matches!(text(&erasure, "/data/status")?.as_str(), "running" | "open") {
            break erasure;
        }
        if begun.elapsed() > LONGEST {
            return Err(format!("it does not end: {erasure}").into());
        }
        sleep(Duration::from_millis(200)).await;
    };
    let took = begun.elapsed();
    told(&mut asking).await?;
    let parts = erasure.pointer("/data/parts").and_then(Value::as_array);
    for part in parts
        .into_iter()
        .flatten()
        .filter(|part| part["found"] != json!(0))
    {
        let (place, found, erased) = (&part["place"], &part["found"], &part["erased"]);
        writeln!(stdout(), "  {place}: {erased} of {found} erased")?;
    }
    writeln!(stdout(), "  in {:.0} s", took.as_secs_f64())?;
    let most = daemon.memory("VmHWM")?;
    writeln!(stdout(), "memory of the daemon: {most} kB at most")?;
    daemon.stop().await
}

fn first_extension(list: &Value) -> Outcome<&Value> {
    let mut all = list["data"].as_array().into_iter().flatten();
    let first = all.find(|extension| extension["number"] == json!("1001"));
    Ok(first.map(|first| &first["id"]).ok_or("no extension 1001")?)
}
