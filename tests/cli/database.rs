//! Making, migrating and looking at a database; and the main path on each kind of it.

use rstest::rstest;
use serde_json::json;
use sqlx::Connection as _;

use super::host::{ACME, Host};

#[test]
fn a_database_that_is_not_there_is_named_with_what_to_do() {
    let host = Host::bare();
    for command in [
        &["db", "status"][..],
        &["tenant", "list"],
        &["serve"],
        &["deploy", "plan", "--instance", "x"],
    ] {
        let said = host.refused(1, command);
        let file = host.path("switchyard.db").display().to_string();
        assert!(
            said.contains(&file) && said.contains("`switchyard db migrate`"),
            "{command:?}: {said}"
        );
    }
}

#[test]
fn a_directory_that_is_not_there_is_named_with_what_to_type() {
    let mut host = Host::bare();
    let directory = host.path("none").display().to_string();
    host.set(
        "SWITCHYARD_DATABASE_URL",
        &format!("sqlite:{directory}/switchyard.db"),
    );
    for command in [
        &["db", "migrate"][..],
        &["db", "status"],
        &["tenant", "list"],
        &["serve"],
    ] {
        let said = host.refused(1, command);
        assert!(
            said.contains(&format!(
                "install -d -m 0700 -o switchyard -g switchyard {directory}`"
            )),
            "{command:?}: {said}"
        );
        assert!(!said.contains("db migrate"), "{said}");
    }
}

#[test]
fn migrate_makes_the_file_once_and_status_shows_each_step() {
    let host = Host::bare();
    let first = host.json(&["db", "migrate"]);
    assert_eq!(first["up_to_date"], true);
    let applied = first["applied"].as_array().unwrap().len();
    assert!(applied > 0);
    assert_eq!(host.json(&["db", "migrate"])["applied"], json!([]));
    let status = host.json(&["db", "status"]);
    assert_eq!(status["up_to_date"], true);
    let steps = status["migrations"].as_array().unwrap();
    assert_eq!(steps.len(), applied);
    assert!(steps.iter().all(|step| step["state"] == "applied"), "{status}");
}

#[test]
fn a_database_that_lacks_its_migrations_is_shown_and_refused() {
    let host = Host::bare();
    host.file("switchyard.db", "");
    let status = host.run(&["db", "status"]);
    assert_eq!(status.code, 1);
    assert!(
        status.out.contains("pending") && !status.out.contains("applied"),
        "{status:?}"
    );
    assert!(status.err.contains("run `switchyard db migrate`"), "{status:?}");
    for command in [&["serve"][..], &["instance", "list"]] {
        assert!(host.refused(1, command).contains("run `switchyard db migrate`"));
    }
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let host = Host::bare();
    host.file(
        "switchyard.db",
        "this is a letter, and no database at all: ".repeat(100),
    );
    let said = host.refused(1, &["db", "migrate"]);
    assert!(said.contains("switchyard.db"), "{said}");
}

/// What the system, or the database, says of a database that cannot be used, and no part of it twice.
#[test]
fn what_is_wrong_with_a_database_is_said_once() {
    let mut host = Host::bare();
    std::fs::create_dir(host.path("directory")).unwrap();
    host.file("letter", "no database at all ".repeat(100));
    let sqlite = |host: &Host, name: &str| format!("sqlite:{}", host.path(name).display());
    for (url, command, words) in [
        (
            sqlite(&host, "nothing"),
            &["tenant", "list"][..],
            "No such file or directory",
        ),
        (sqlite(&host, "directory"), &["db", "migrate"], "Is a directory"),
        (
            sqlite(&host, "letter"),
            &["db", "migrate"],
            "file is not a database",
        ),
        (
            "postgres://ann@127.0.0.1:1/x".to_owned(),
            &["tenant", "list"],
            "Connection refused",
        ),
    ] {
        host.set("SWITCHYARD_DATABASE_URL", &url);
        let said = host.refused(1, command);
        assert_eq!(said.matches(words).count(), 1, "{said}");
    }
}

#[test]
fn a_database_that_is_locked_is_said_once() {
    let host = Host::with_tenant();
    let url = format!("sqlite:{}", host.path("switchyard.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut holder = runtime.block_on(sqlx::SqliteConnection::connect(&url)).unwrap();
    runtime
        .block_on(sqlx::query("begin immediate").execute(&mut holder))
        .unwrap();
    let said = host.refused(1, &["db", "migrate"]);
    assert_eq!(said.matches("database is locked").count(), 1, "{said}");
}

#[test]
fn a_postgresql_that_is_away_is_named_without_its_password() {
    let mut host = Host::bare();
    host.set(
        "SWITCHYARD_DATABASE_URL",
        "postgres://ann:hunter2@127.0.0.1:1/pbx",
    );
    for command in [&["db", "migrate"][..], &["tenant", "list"], &["serve"]] {
        let said = host.refused(1, command);
        assert!(
            said.contains("127.0.0.1:1/pbx") && said.contains("database.url"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// Migrate, key, instance, tenant, extensions, a file of them, and what a deploy would do.
#[rstest]
#[case::sqlite(Host::ready())]
#[case::postgres(Host::on_postgres())]
fn the_way_to_a_first_plan(#[case] host: Host) {
    host.add_tenant();
    host.add_extension("1001", "Ann");
    let file = host.file("phones.csv", "number,name\n1002,Bob\n1003,Cid\n");
    host.ok(&["extension", "import", "--tenant", ACME, &file]);
    let list = host.json(&["extension", "list", "--tenant", ACME, "--per-page", "2"]);
    assert_eq!(
        list["meta"],
        json!({"page": 1, "per_page": 2, "total": 3, "last_page": 2})
    );
    let plan = host.json(&["deploy", "plan", "--tenant", ACME]);
    let objects: Vec<&str> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["object"].as_str().unwrap())
        .collect();
    assert_eq!(
        objects,
        [
            "tenant acme.example.com",
            "extension 1001",
            "extension 1002",
            "extension 1003"
        ]
    );
    assert_eq!(plan["findings"], json!([]));
    let again = host.json(&["deploy", "plan", "--instance", "pbx1"]);
    assert_eq!(again["files"].as_array().unwrap().len(), 3);
}
