//! Counts against Asterisk's own, while the link to it is cut again and again, and while it is killed.

use std::io::{Write as _, stderr};
use std::time::{Duration, Instant};

use super::proxy::Way;
use super::rig::{ACME, GLOBEX, Rig, call, hang_up};
use super::support::pbx::{Restarted, kill, pid};
use super::support::wait::until;

fn cuts() -> usize {
    if std::env::var_os("SWITCHYARD_TEST_ALL").is_some() {
        1000
    } else {
        100
    }
}

#[tokio::test]
async fn asterisk_o10_two_hundred_calls_of_two_tenants_are_counted_right_through_many_cuts() {
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
        rig.proxy.set(Way::Open);
        // And what is heard in the very moment in which the link comes back.
        hang_up(&mut ami, ACME, 1).await;
        call(&mut ami, ACME, 2).await;
        worst = worst.max(rig.agrees(&mut ami, &format!("after cut {cut}")).await);
        assert_eq!(counts(&rig), [100, 101 + cut]);
    }
    // For whoever looks; nothing hangs on it.
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

#[tokio::test]
async fn asterisk_o10_no_ghost_is_left_of_a_pbx_that_was_killed_under_calls() {
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 20).await;
    call(&mut ami, GLOBEX, 5).await;
    rig.agrees(&mut ami, "calls are up").await;
    drop(ami);
    kill(pid(&rig.pbx.home()));
    rig.until_stale().await;
    let _again = Restarted::start(&rig.pbx);
    let begun = Instant::now();
    until("it is known again", || rig.monitor.is_fresh()).await;
    let _ = writeln!(stderr(), "known again {:?} after the start", begun.elapsed());
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
