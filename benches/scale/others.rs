//! Owners of other tenants, who ask and change something all the time: how long each waits for an answer, from when it was due.

use std::io::{self, Write as _, stdout};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Outcome;
use super::connection::Connection;
use super::load::{get, request, shares, sign_in};

/// Owners of others, each with a connection.
pub const OTHERS: usize = 8;
/// Each of them sends a request so often.
pub const EVERY: Duration = Duration::from_millis(50);
/// For so long they ask with nothing else going on.
pub const BEFORE: Duration = Duration::from_secs(20);

/// Signs in all of them, and gives what each asks for.
pub async fn all(address: &str) -> Outcome<Vec<Vec<Vec<u8>>>> {
    let mut others = Vec::new();
    for place in 1..=OTHERS {
        let token = sign_in(address, &format!("owner{place}@example.com")).await?;
        others.push(requests(address, &token).await?);
    }
    Ok(others)
}

/// What an answer says at a place of it.
pub fn text(answer: &Value, pointer: &str) -> Outcome<String> {
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
pub struct Asking {
    tasks: JoinSet<io::Result<()>>,
    /// Whether something was changed, and how long the answer took.
    times: UnboundedReceiver<(bool, Duration)>,
}

/// Has all of them ask from now on.
pub fn ask(address: &str, others: &[Vec<Vec<u8>>]) -> Asking {
    let (told, times) = unbounded_channel();
    let mut tasks = JoinSet::new();
    for requests in others {
        let (requests, address, told) = (requests.clone(), address.to_owned(), told.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut ticks = interval(EVERY);
            // Whoever had to wait for one answer asks late for the next: that counts as waiting too.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for request in requests.iter().cycle() {
                let due = ticks.tick().await;
                connection.send(request).await?;
                if told.send((request.starts_with(b"PATCH"), due.elapsed())).is_err() {
                    break;
                }
            }
            Ok(())
        });
    }
    Asking { tasks, times }
}

/// Has all of them ask with nothing else going on, and tells how long answers took; of a daemon's first seconds nothing.
pub async fn undisturbed(address: &str, others: &[Vec<Vec<u8>>]) -> Outcome<()> {
    let mut first = ask(address, others);
    sleep(BEFORE).await;
    first.tasks.shutdown().await;
    let mut asking = ask(address, others);
    sleep(BEFORE).await;
    told(&mut asking).await
}

/// Ends it, and tells how long answers took.
pub async fn told(asking: &mut Asking) -> Outcome<()> {
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
