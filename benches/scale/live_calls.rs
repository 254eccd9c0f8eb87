//! Live calls of a busy PBX: whether each count is right, what following them costs, and what a thousand who listen take.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::driver::asterisk::{ManagerFeed, Transport};
use switchyard::driver::feed::{Feed as _, News};
use switchyard::wire::ami::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::box_of_tenants::{Shadow, open};
use super::connection::Connection;
use super::daemon::Daemon;
use super::load::{get, sign_in};
use super::pbx::{Pbx, open_directory};
use super::times::Times;
use super::{Outcome, own_process};

const TENANTS: usize = 20;
/// Two channels each.
const CALLS: usize = 500;
const ROUNDS: usize = 20;
/// Each with so many calls that end and so many that begin.
const CHANGES: usize = 2;
const BETWEEN: Duration = Duration::from_millis(50);
const BUSY: Duration = Duration::from_secs(2);
/// So that what was done last has been told.
const QUIET: Duration = Duration::from_millis(500);
/// Two full polls put right what no event does.
const LONGEST_WRONG: Duration = Duration::from_secs(70);
const POLLS: usize = 9;
const READERS: usize = 1000;
const TOKEN: &str = "0123456789abcdef0123";
const PATH: &str = "/api/v1/events";

pub fn measure() -> Outcome<()> {
    let directory = open_directory()?;
    let path = directory.path().display().to_string();
    own_process(&["make", &path, &TENANTS.to_string()])?;
    own_process(&["people", &path])?;
    own_process(&["calls-followed", &path])
}

/// Starts an Asterisk with calls and the daemon that follows them.
pub async fn followed(directory: &Path) -> Outcome<()> {
    raise_files()?;
    let pbx = Pbx::start(directory).await?;
    open(directory, Shadow::Never).await?.lead_to(&pbx).await?;
    for tenant in 0..TENANTS {
        // What is not answered ends by itself after half a minute.
        for step in ["1,Answer", "2,Wait,3600"] {
            let line = format!("dialplan add extension 9,{step} into tenant{tenant}.example.com");
            pbx.console(&line).await?;
        }
    }
    let mut next = 0;
    begin(&pbx, &mut next, CALLS).await?;
    poll(&pbx).await?;
    let daemon = Daemon::start_with(
        directory,
        Shadow::Never,
        &[
            ("SWITCHYARD_METRICS_TOKEN", TOKEN),
            ("SWITCHYARD_HTTP_TRUSTED_PROXIES", "127.0.0.1"),
        ],
    )
    .await?;
    sleep(BUSY).await;
    busy(&pbx, &daemon, &mut next, "nobody listens").await?;
    let before = daemon.memory("VmRSS")?;
    let mut readers = readers(daemon.address()).await?;
    busy(&pbx, &daemon, &mut next, "a thousand listen").await?;
    let after = daemon.memory("VmRSS")?;
    writeln!(
        stdout(),
        "memory of the daemon: {before} kB before {READERS} listened, {after} kB then, {} kB more",
        after.saturating_sub(before)
    )?;
    readers.shutdown().await;
    daemon.stop().await
}

/// How long Asterisk takes to tell all its channels.
async fn poll(pbx: &Pbx) -> Outcome<()> {
    let private = &pbx.private;
    let mut feed = ManagerFeed::open(private.settings(), private.secret(), &Transport::default(), || 0);
    while feed.next().await != Some(News::LinkUp) {}
    let mut times = Times::default();
    let mut legs = 0;
    for _ in 0..POLLS {
        let begun = Instant::now();
        legs = feed.poll().legs(SystemClock.now()).await?.len();
        times.push(begun.elapsed());
    }
    writeln!(stdout(), "a full poll of {legs} channels: {times}")?;
    Ok(())
}

/// Calls begin and end; after each round the daemon's counts are held against Asterisk's own.
async fn busy(pbx: &Pbx, daemon: &Daemon, next: &mut usize, what: &str) -> Outcome<()> {
    let private = &pbx.private;
    let mut feed = ManagerFeed::open(private.settings(), private.secret(), &Transport::default(), || 0);
    let mut counting: JoinSet<usize> = JoinSet::new();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    counting.spawn(async move {
        let mut news = 0;
        loop {
            tokio::select! {
                _ = &mut stopped => return news,
                one = feed.next() => if one.is_none() { return news } else { news += 1 },
            }
        }
    });
    let (mut wrong, mut busy_for) = (0, Duration::ZERO);
    let (begun, processor) = (Instant::now(), daemon.processor_time()?);
    for number in 1..=ROUNDS {
        let round = Instant::now();
        while round.elapsed() < BUSY {
            end(pbx, CHANGES).await?;
            begin(pbx, next, CHANGES).await?;
            sleep(BETWEEN).await;
        }
        busy_for += round.elapsed();
        sleep(QUIET).await;
        let (told, known) = (told(daemon).await?, known(pbx).await?);
        if told.0 != known {
            wrong += 1;
            explain(pbx, daemon, number, told, known).await?;
        }
    }
    let (whole, used) = (
        begun.elapsed(),
        daemon.processor_time()?.saturating_sub(processor),
    );
    // Nobody else has the other side.
    let _ = stop.send(());
    let news = counting.join_next().await.ok_or("nobody counts")??;
    writeln!(
        stdout(),
        "{what}: {:.0} news a second; {wrong} of {ROUNDS} counts wrong; {:.1} % of a core",
        f64::from(u32::try_from(news)?) / busy_for.as_secs_f64(),
        used.as_secs_f64() / whole.as_secs_f64() * 100.0
    )?;
    Ok(())
}

/// What was wrong, and for how long it stays so.
async fn explain(
    pbx: &Pbx,
    daemon: &Daemon,
    round: usize,
    (counts, is_stale): (Vec<usize>, bool),
    known_first: Vec<usize>,
) -> Outcome<()> {
    let begun = Instant::now();
    let mut again = (told(daemon).await?.0, known(pbx).await?);
    while again.0 != again.1 && begun.elapsed() < LONGEST_WRONG {
        sleep(BETWEEN).await;
        again = (told(daemon).await?.0, known(pbx).await?);
    }
    writeln!(
        stdout(),
        "round {round}: {counts:?}{} for {known_first:?}; {:.2} s later {:?} for {:?}",
        if is_stale { ", told as stale," } else { "" },
        begun.elapsed().as_secs_f64(),
        again.0,
        again.1
    )?;
    Ok(())
}

async fn begin(pbx: &Pbx, next: &mut usize, count: usize) -> Outcome<()> {
    for _ in 0..count {
        let tenant = *next % TENANTS;
        let line = format!("channel originate Local/9@tenant{tenant}.example.com application Wait 3600");
        pbx.console(&line).await?;
        *next += 1;
    }
    Ok(())
}

async fn end(pbx: &Pbx, count: usize) -> Outcome<()> {
    let channels = pbx.channels().await?;
    let firsts = channels
        .iter()
        .filter(|channel| channel.get("Uniqueid") == channel.get("Linkedid"))
        .filter_map(|channel| channel.get("Channel"));
    for channel in firsts.take(count) {
        pbx.console(&format!("channel request hangup {channel}")).await?;
    }
    Ok(())
}

/// The calls of each tenant, as Asterisk lists its channels.
async fn known(pbx: &Pbx) -> Outcome<Vec<usize>> {
    let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let text = |channel: &Message, key: &str| channel.get(key).unwrap_or_default().to_owned();
    for channel in pbx.channels().await? {
        let name = text(&channel, "Channel");
        let domain = name
            .rsplit_once('-')
            .and_then(|(called, _)| called.rsplit_once('@'));
        if let Some((_, domain)) = domain {
            calls
                .entry(domain.to_owned())
                .or_default()
                .insert(text(&channel, "Linkedid"));
        }
    }
    let mut counts: Vec<usize> = calls.values().map(BTreeSet::len).collect();
    counts.sort_unstable();
    Ok(counts)
}

/// The calls of each tenant, as the daemon tells a collector, and whether it says that they may not be right.
async fn told(daemon: &Daemon) -> Outcome<(Vec<usize>, bool)> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let asked = client
        .get(format!("http://{}/metrics", daemon.address()))
        .bearer_auth(TOKEN);
    let text = asked.send().await?.error_for_status()?.text().await?;
    let figures = text
        .lines()
        .filter(|line| line.starts_with("switchyard_tenant_active_calls{"));
    let counts = figures.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok());
    let mut counts: Vec<usize> = counts.collect();
    counts.sort_unstable();
    let is_stale = text
        .lines()
        .any(|line| line.starts_with("switchyard_active_calls_stale{") && line.ends_with(" 1"));
    Ok((counts, is_stale))
}

/// Those who listen, spread over all tenants; each has heard how things stand.
async fn readers(address: &str) -> Outcome<JoinSet<io::Result<()>>> {
    let manager = sign_in(address, "manager@example.com").await?;
    let list = get("/api/v1/platform/tenants?per_page=100", &manager, "");
    let tenants = Connection::open(address).await?.ask(&list).await?;
    let ids: Vec<&str> = tenants
        .get("data")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|tenant| tenant.get("id")?.as_str())
        .collect();
    let mut reading = JoinSet::new();
    let mut times = Times::default();
    for (reader, id) in ids.iter().cycle().take(READERS).enumerate() {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address).await?;
        let request = get(PATH, &manager, &format!("X-Operate-As-Tenant: {id}\r\n"));
        stream.write_all(&request).await?;
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).await?;
        if !bytes
            .get(..count)
            .unwrap_or_default()
            .starts_with(b"HTTP/1.1 200 ")
        {
            let said = String::from_utf8_lossy(bytes.get(..count).unwrap_or_default()).into_owned();
            return Err(format!("reader {reader} is not let in: {said}").into());
        }
        times.push(begun.elapsed());
        reading.spawn(async move {
            while stream.read(&mut bytes).await? > 0 {}
            Ok(())
        });
    }
    writeln!(stdout(), "{READERS} listen, each let in within {times}")?;
    Ok(reading)
}

fn raise_files() -> Outcome<()> {
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: now.maximum,
        ..now
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}
