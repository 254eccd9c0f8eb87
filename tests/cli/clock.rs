//! `switchyard clock`: what is believed of the clock, and saying that it is right.

use jiff::tz::TimeZone;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};
use switchyard::domain::clock::{Clock as _, SystemClock};

use super::host::Host;

const DAY: i64 = 24 * 3_600 * 1_000_000;

/// As a daemon leaves it that was up for some minutes, was off for so many days, and is up again, or is not yet.
fn was_off(host: &Host, days: i64, is_up: bool) {
    let now = SystemClock.now().as_microsecond();
    let mut seen = vec![json!({"ahead": now - days * DAY, "last": 0})];
    seen.extend(is_up.then(|| json!({"ahead": now, "last": 0})));
    let seen = json!(seen);
    let sql = format!(
        "delete from trusted_time; insert into trusted_time (clock, beat, up, seen) values ('host', 7, 0, '{seen}')"
    );
    let url = format!("sqlite:{}", host.path("switchyard.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
    });
}

fn examined(host: &Host) -> Value {
    let ended = host.run(&["--json", "doctor"]);
    let all: Value = serde_json::from_str(&ended.out).unwrap();
    let all = all.as_array().or_else(|| all["findings"].as_array());
    let of_clock = |finding: &&Value| finding["subject"] == "clock";
    all.unwrap().iter().find(of_clock).unwrap().clone()
}

#[test]
fn a20_before_a_daemon_has_looked_nothing_is_old_and_nothing_is_believed() {
    let host = Host::ready();
    let today = SystemClock.now().to_zoned(TimeZone::UTC).date().to_string();
    for words in [&["clock", "show"][..], &["clock", "believe", "--date", &today]] {
        let told = host.ok(words);
        assert!(told.contains("nothing is old"), "{told}");
    }
    assert_eq!(host.json(&["clock", "show"])["time"], "1970-01-01T00:00:00Z");
}

#[rstest]
fn a20_a_leap_of_the_clock_is_told_and_believed_by_who_names_the_date(#[values(false, true)] is_up: bool) {
    let host = Host::ready();
    was_off(&host, 31, is_up);
    let shown = host.json(&["clock", "show"]);
    assert_eq!(
        (&shown["needs_confirmation"], &shown["held_back_until"]),
        (&json!(true), &Value::Null)
    );
    let told = host.ok(&["clock", "show"]);
    assert!(told.contains("`switchyard clock believe --date`"), "{told}");
    let found = examined(&host);
    assert_eq!(found["outcome"], "warning", "{found}");
    assert!(
        found["mend"]
            .as_str()
            .unwrap()
            .contains("switchyard clock believe"),
        "{found}"
    );

    for date in ["2001-01-01", "today", "2026-02-30"] {
        let told = host.refused(4, &["clock", "believe", "--date", date]);
        assert!(told.contains("--date"), "{told}");
    }
    assert_eq!(host.json(&["clock", "show"])["needs_confirmation"], true);

    let today = SystemClock.now().to_zoned(TimeZone::UTC).date();
    let believed = host.json(&["clock", "believe", "--date", &today.to_string()]);
    assert_eq!(believed["needs_confirmation"], false);
    assert_eq!(examined(&host)["outcome"], "ok");
    let told = host.run(&["audit", "export", "--action", "clock.believe"]);
    assert_eq!((told.code, told.out.lines().count()), (0, 1), "{told:?}");
}

#[test]
fn a20_a_day_that_the_clock_was_put_forward_by_needs_nobody() {
    let host = Host::ready();
    was_off(&host, 1, true);
    let shown = host.json(&["clock", "show"]);
    assert_eq!(shown["needs_confirmation"], false);
    assert!(shown["held_back_until"].is_string(), "{shown}");
    assert_eq!(examined(&host)["outcome"], "ok");
}
