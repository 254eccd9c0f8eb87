//! However a demo ends, its Asterisk ends with it; and what stands in its way is named.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::support::demo::{Place, Running, run};

#[test]
fn a10_a_killed_demo_leaves_no_asterisk() {
    let place = Place::new();
    let mut whole = Duration::from_secs(2);
    let mut seen = 0;
    let points = if std::env::var_os("SWITCHYARD_TEST_ALL").is_some() {
        100
    } else {
        12
    };
    for point in 0..points {
        let begun = Instant::now();
        let mut running = place.start();
        // From its first moments to just after it is ready; the first one tells how long that takes.
        if point == 0 {
            running.until_ready();
            whole = begun.elapsed();
        } else {
            let part = (f64::from(point) * 0.618_034).fract();
            std::thread::sleep(whole.mul_f64(part * 1.1));
        }
        seen += usize::from(!place.asterisks().is_empty());
        running.signal(Signal::KILL);
        running.wait();
        place.assert_nothing_is_left(&format!("killed at point {point}"));
    }
    assert!(
        seen > points.try_into().unwrap_or(0) / 3,
        "an Asterisk ran at only {seen} points"
    );
    // And nothing is broken by it.
    let running = place.ready();
    assert_eq!(place.record()["pbx"]["live"], true);
    assert_eq!(running.terminate().code(), Some(0));
}

#[test]
fn a10_an_interrupt_ends_both_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let running = place.ready();
        let pids = place.asterisks();
        assert!(!pids.is_empty());
        running.signal(signal);
        let ended = running.wait();
        assert_eq!(ended.code(), Some(0), "{}", ended.err);
        assert!(place.asterisks().is_empty());
    }
}

/// An Asterisk that dies takes the demo with it, which says so.
#[test]
fn a10_a_demo_without_its_asterisk_ends_and_tells() {
    let place = Place::new();
    let running = place.ready();
    let pid = super::support::pbx::pid(&place.demo().join("pbx"));
    super::support::pbx::kill(pid);
    let ended = running.wait();
    assert!(
        ended.code() != Some(0) && ended.err.contains("Asterisk ended"),
        "{}",
        ended.err
    );
}

fn refused(command: std::process::Command, words: &[&str]) {
    let ended = run(command);
    assert!(ended.code().is_some_and(|code| code != 0), "{}", ended.out);
    for word in words {
        assert!(ended.err.contains(word), "`{word}` is not in: {}", ended.err);
    }
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    assert!(!ended.out.lines().any(|line| line == "ready"), "{}", ended.out);
}

#[test]
fn a10_what_stands_in_the_way_of_a_demo_is_named() {
    let place = Place::new();
    let mut command = place.bare_command();
    command.arg("--asterisk").arg("/nowhere/asterisk");
    refused(command, &["/nowhere/asterisk", "scripts/get-asterisk"]);
    let mut command = place.bare_command();
    command.arg("--asterisk").arg("/bin/true");
    refused(command, &["/bin/true"]);

    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = place.command();
    command.arg("--listen").arg(&address);
    refused(command, &[&address, "in use"]);
    place.assert_nothing_is_left("after a port that is taken");

    let mut command = place.command();
    command.arg("--templates").arg("/nowhere/templates").arg("--once");
    let ended = run(command);
    assert_eq!(ended.code(), Some(6), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("/nowhere/templates"), "{}", ended.out);
}

#[test]
fn a10_a_directory_that_cannot_be_used_is_named() {
    let place = Place::new();
    // Where a file is in the way, nobody can write, not even root.
    std::fs::write(place.demo(), "in the way").unwrap();
    let demo = place.demo().display().to_string();
    refused(place.command(), &[&demo]);
    std::fs::remove_file(place.demo()).unwrap();
    std::fs::create_dir(place.demo()).unwrap();
    std::fs::write(place.demo().join("state"), "in the way").unwrap();
    refused(place.command(), &[&format!("{demo}/state")]);
    place.assert_nothing_is_left("after a directory that cannot be used");
}

#[test]
fn a10_a_directory_serves_one_demo_at_a_time() {
    let place = Place::new();
    let mut first: Running = place.ready();
    let before = place.record();
    let demo = place.demo().display().to_string();
    refused(place.command(), &[&demo, "already", "another directory"]);
    // A demo without Asterisk would change the same database and files.
    refused(place.bare_command(), &[&demo, "already", "another directory"]);
    assert_eq!(place.record(), before, "the running one's record is untouched");
    assert!(super::support::phone::registers(
        super::support::demo::sip(&before),
        "1001",
        "acme.example.com",
        before["tenants"][0]["extensions"][0]["secret"].as_str().unwrap()
    ));
    first.said.clear();
    assert_eq!(first.terminate().code(), Some(0));
}
