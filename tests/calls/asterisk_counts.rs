//! Counts against Asterisk's own, while the link to it is cut again and again, and while it is killed.

use std::io::{BufRead as _, BufReader, Write as _, stderr};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;

use super::proxy::Way;
use super::rig::{ACME, EXACT, GLOBEX, Rig, call, hang_up, soon};
use super::support::pbx::{Pbx, Restarted, kill, pid};
use super::support::wait::until;

fn cuts() -> usize {
    if std::env::var_os("SWITCHYARD_TEST_ALL").is_some() {
        1000
    } else {
        100
    }
}

#[tokio::test]
async fn asterisk_o10_two_hundred_calls_of_two_tenants_are_right_within_two_seconds_after_each_of_many_cuts()
{
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 100).await;
    call(&mut ami, GLOBEX, 100).await;
    rig.agrees(&mut ami, "all calls are up").await;
    let counts = |rig: &Rig| [ACME, GLOBEX].map(|domain| rig.told()[domain].len());
    assert_eq!(counts(&rig), [100, 100]);
    let figures = rig.monitor.figures().unwrap();
    assert_eq!((figures.total, figures.by_tenant.len()), (200, 2));
    let mut worst = Duration::ZERO;
    for cut in 0..cuts() {
        rig.proxy.set(Way::Cut);
        rig.until_stale().await;
        // What nobody hears: calls that end, calls that begin, and of both more in one tenant.
        hang_up(&mut ami, ACME, 3).await;
        call(&mut ami, ACME, 2).await;
        hang_up(&mut ami, GLOBEX, 1).await;
        call(&mut ami, GLOBEX, 2).await;
        assert!(!rig.monitor.is_fresh(), "cut {cut}: nothing can be known");
        let since = rig.open();
        // And what is heard in the very moment in which the link comes back.
        hang_up(&mut ami, ACME, 1).await;
        call(&mut ami, ACME, 2).await;
        let when = format!("after cut {cut}");
        rig.agrees(&mut ami, &when).await;
        worst = worst.max(soon(since, &when));
        assert_eq!(counts(&rig), [100, 101 + cut]);
    }
    // For whoever looks.
    let _ = writeln!(stderr(), "{} cuts: right again after at most {worst:?}", cuts());
    for domain in [ACME, GLOBEX] {
        hang_up(&mut ami, domain, 1000).await;
    }
    rig.agrees(&mut ami, "all calls are over").await;
    until("no channel is left", || Rig::truth(&mut ami).is_empty()).await;
    rig.agrees(&mut ami, "no channel is left").await;
    let figures = rig.monitor.figures().unwrap();
    assert_eq!((figures.total, figures.by_tenant.len()), (0, 0));
    assert_eq!(figures.corrected, 0, "no event was missed while the link stood");
}

/// Waits, beside the runtime, until Asterisk lets somebody in; gives when that try was begun.
async fn lets_in(pbx: &Pbx) -> Instant {
    let account = pbx.private.outside();
    let login = format!(
        "Action: Login\r\nUsername: {}\r\nSecret: {}\r\nEvents: off\r\n\r\n",
        account.username,
        account.secret.expose_secret()
    );
    let port = pbx.private.settings().ami_port;
    let tries = move || {
        let is_let_in = || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
            stream.write_all(login.as_bytes()).ok()?;
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            lines.find(|line| line.starts_with("Response: "))
        };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_mins(1) {
            let since = Instant::now();
            if is_let_in().is_some_and(|answer| answer == "Response: Success") {
                return since;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it lets nobody in");
    };
    tokio::task::spawn_blocking(tries).await.unwrap()
}

#[tokio::test]
async fn asterisk_o10_no_ghost_is_left_of_a_pbx_that_was_killed_under_calls_two_seconds_after_it_lets_us_in()
{
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 20).await;
    call(&mut ami, GLOBEX, 5).await;
    rig.agrees(&mut ami, "calls are up").await;
    drop(ami);
    kill(pid(&rig.pbx.home()));
    rig.until_stale().await;
    // So long that pauses between tries which grow would have grown.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let _again = Restarted::start(&rig.pbx);
    let known = async {
        until("it is known again", || rig.monitor.is_fresh()).await;
        Instant::now()
    };
    let (since, known) = tokio::join!(lets_in(&rig.pbx), known);
    let took = known.saturating_duration_since(since);
    assert!(took < EXACT, "known again after {took:?}");
    let _ = writeln!(stderr(), "known again {took:?} after it let somebody in");
    assert_eq!(rig.told().len(), 0);
    let mut ami = rig.pbx.ami();
    // It takes calls once it has started.
    until("it has started", || {
        ami.console("core waitfullybooted")
            .iter()
            .any(|line| line.contains("fully booted"))
    })
    .await;
    call(&mut ami, ACME, 2).await;
    rig.agrees(&mut ami, "calls are up again").await;
}

#[tokio::test]
async fn asterisk_o10_while_calls_come_and_go_fast_no_event_is_missed_and_no_poll_corrects() {
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    for _ in 0..20 {
        call(&mut ami, ACME, 5).await;
        call(&mut ami, GLOBEX, 3).await;
        hang_up(&mut ami, ACME, 4).await;
        hang_up(&mut ami, GLOBEX, 3).await;
    }
    rig.agrees(&mut ami, "it is quiet").await;
    // The news of what the last poll has put right had the time of another.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let figures = rig.monitor.figures().unwrap();
    assert_eq!((figures.corrected, figures.freshness.stale), (0, false));
}
