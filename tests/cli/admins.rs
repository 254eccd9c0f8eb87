//! `switchyard admin` with and without a daemon: what it takes from somebody is refused with their very next request.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::host::{ACME, Host};
use super::serve::{Daemon, add_manager};

const SECOND: &str = "second@example.com";

/// What somebody signs in with; `None` where they are refused.
async fn token(daemon: &Daemon, password: &str) -> Option<String> {
    let login = daemon.request(Method::POST, "/api/v1/auth/user-login");
    let login = login.json(&json!({"email": SECOND, "password": password}));
    let answer = login.send().await.unwrap();
    if answer.status() == 401 {
        return None;
    }
    assert_eq!(answer.status(), 200);
    let login: Value = answer.json().await.unwrap();
    Some(login["token"].as_str().unwrap().to_owned())
}

/// How a platform manager's request is answered.
async fn answered(daemon: &Daemon, token: &str) -> u16 {
    let tenants = daemon.request(Method::GET, "/api/v1/platform/tenants");
    tenants.bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// What was done to users, and who did it, oldest first.
fn changes_of_users(host: &Host) -> Vec<String> {
    let exported = host.run(&["audit", "export"]).out;
    let entries = exported.lines().map(|line| serde_json::from_str(line).unwrap());
    entries
        .filter(|entry: &Value| entry["resource"] == "user")
        .map(|entry| {
            let [action, actor] =
                [&entry["action"], &entry["actor"]["name"]].map(|word| word.as_str().unwrap());
            format!("{action} {actor}")
        })
        .collect()
}

/// Runs commands beside the daemon, or while it is stopped.
fn run(host: &mut Host, daemon: Daemon, beside: bool, commands: impl FnOnce(&Host)) -> Daemon {
    if beside {
        commands(host);
        return daemon;
    }
    assert_eq!(daemon.stop(), Some(0));
    commands(host);
    Daemon::start(host)
}

#[rstest]
#[case::sqlite(Host::ready(), false)]
#[case::sqlite_beside_a_daemon(Host::ready(), true)]
#[case::postgres(Host::on_postgres(), false)]
#[case::postgres_beside_a_daemon(Host::on_postgres(), true)]
#[tokio::test]
async fn o56_o71_what_the_command_line_takes_is_refused_with_the_very_next_request_and_each_change_is_in_the_log(
    #[case] mut host: Host,
    #[case] beside: bool,
) {
    let managers = add_manager(&host);
    host.add_tenant();
    let made = host.json(&["admin", "create-manager", "--email", SECOND, "--name", "Second"]);
    let password = made["password"].as_str().unwrap().to_owned();
    let daemon = Daemon::start(&mut host);
    // Who manages the platform no longer has to work for somebody.
    let home = format!("/api/v1/platform/users/{}/tenant", made["id"].as_str().unwrap());
    let tenant = host.json(&["tenant", "show", ACME]);
    let home = daemon
        .request(Method::PUT, &home)
        .bearer_auth(daemon.sign_in(&managers).await);
    let home = home.json(&json!({"tenant_id": tenant["id"], "role": "agent"}));
    assert_eq!(home.send().await.unwrap().status(), 200);
    let first = token(&daemon, &password).await.unwrap();
    assert_eq!(answered(&daemon, &first).await, 200);

    let daemon = run(&mut host, daemon, beside, |host| {
        host.ok(&["admin", "revoke", SECOND]);
        let said = host.refused(5, &["admin", "revoke", "manager@example.com"]);
        assert!(said.contains("nobody else could manage the platform"), "{said}");
        host.ok(&[
            "admin",
            "create-manager",
            "--email",
            "third@example.com",
            "--name",
            "Third",
        ]);
        host.ok(&[
            "admin",
            "invite",
            "--email",
            "eve@example.com",
            "--name",
            "Eve",
            "--tenant",
            ACME,
        ]);
    });
    assert_eq!(answered(&daemon, &first).await, 401);

    let daemon = run(&mut host, daemon, beside, |host| {
        host.ok(&["admin", "grant", SECOND]);
    });
    let second = token(&daemon, &password).await.unwrap();
    assert_eq!(answered(&daemon, &second).await, 200);

    let mut given = Value::Null;
    let daemon = run(&mut host, daemon, beside, |host| {
        given = host.json(&["admin", "reset-password", SECOND]);
    });
    assert_eq!(answered(&daemon, &second).await, 401);
    assert_eq!(token(&daemon, &password).await, None);
    let third = token(&daemon, given["password"].as_str().unwrap()).await.unwrap();
    assert_eq!(answered(&daemon, &third).await, 200);
    assert_eq!(daemon.stop(), Some(0));
    // Each command that did something wrote one entry, and the one that was refused none.
    assert_eq!(
        changes_of_users(&host),
        [
            "user.create system:cli",
            "user.create system:cli",
            "user.move manager@example.com",
            "user.revoke_platform_manager system:cli",
            "user.create system:cli",
            "user.create system:cli",
            "user.grant_platform_manager system:cli",
            "user.reset_password system:cli",
        ]
    );
}
