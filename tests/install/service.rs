//! A service that was started before there was a directory to deploy to: it may not write there, and that is said wherever
//! somebody looks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::host::Host;
use super::own::Own;
use super::support::mounts::apart;
use super::support::victim::Victim;
use super::support::wait::until;

/// As `ProtectSystem=strict` has it: what is there cannot be written to, and neither can what comes later.
const STRICT: &str = "mount --bind \"$DIR\" \"$DIR\" && mount -o remount,bind,ro \"$DIR\" && exec \"$@\"";
/// With our directory as `ReadWritePaths`, since it is there.
const WITH_OURS: &str =
    "mount --bind \"$DIR\" \"$DIR\" && mount --bind \"$DIR/switchyard\" \"$DIR/switchyard\"
    mount -o remount,bind,ro \"$DIR\" && exec \"$@\"";

/// The service in such mounts, and a systemd that says that this process is it.
fn service(own: &mut Own, mounts: &str, read_write: &Path) -> Victim {
    let (log, etc) = (own.path("service.log"), own.path("etc"));
    own.host.set("SWITCHYARD_HTTP_LISTEN", "127.0.0.1:0");
    let mut command = apart(&own.host.command(&["serve"]), mounts, &etc);
    let service = Victim::logged(&mut command, &log);
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = show ] || exit 1\necho MainPID={}\necho ReadWritePaths=-{}\n",
        service.pid(),
        read_write.display()
    );
    let systemctl = own.host.file("bin/systemctl", script);
    fs::set_permissions(&systemctl, PermissionsExt::from_mode(0o755)).unwrap();
    let bin = Path::new(&systemctl).parent().unwrap().display().to_string();
    own.host
        .set("PATH", &format!("{bin}:/usr/sbin:/usr/bin:/sbin:/bin"));
    service
}

async fn serves(own: &Own) {
    let log = own.path("service.log");
    until("the service is up", || {
        fs::read_to_string(&log).unwrap().contains("serving")
    })
    .await;
}

fn check(host: &Host, words: &[&str], name: &str) -> (i32, Value) {
    let ended = host.run(words);
    let value: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
    let list = if words[0] == "doctor" {
        "findings"
    } else {
        "checks"
    };
    let all = value[list].as_array().unwrap();
    let found = all.iter().find(|check| check["name"] == name);
    (ended.code, found.unwrap_or_else(|| panic!("{value}")).clone())
}

/// Has the service do a deploy: the command may not drive the instance itself.
fn deployed_by_the_service(host: &mut Host) -> Value {
    host.set("SWITCHYARD_NODE_NAME", "elsewhere");
    let ended = host.run(&["deploy", "apply", "--instance", "pbx1", "--json"]);
    host.set("SWITCHYARD_NODE_NAME", "here");
    serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"))
}

#[tokio::test]
async fn a_service_that_may_not_write_to_what_was_installed_since_is_to_be_restarted() {
    let mut own = Own::stock();
    let ours = own.etc("switchyard");
    let old = service(&mut own, STRICT, &ours);
    serves(&own).await;
    let said = own.run(&own.install(&[]));
    assert_eq!(said.code, 0, "{said:?}");
    let restart = "type `systemctl restart switchyard`";
    assert!(
        said.out.contains(restart) && said.out.contains("was not there yet"),
        "{said:?}"
    );
    // Twice changes nothing, also of this.
    let again = own.run(&own.install(&["--json"]));
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["service"]["mend"], restart, "{again}");
    own.start().await;
    let (code, tested) = check(
        &own.host,
        &["instance", "test", "pbx1", "--json"],
        "service_writes",
    );
    assert_eq!((code, &tested["ok"]), (1, &Value::Bool(false)), "{tested}");
    assert_eq!(tested["mend"], restart);
    let (code, examined) = check(&own.host, &["doctor", "--json"], "service_writes");
    assert_eq!((code, &examined["outcome"]), (1, &"failed".into()), "{examined}");
    assert_eq!(examined["mend"], restart);
    let deployed = deployed_by_the_service(&mut own.host);
    assert_eq!(deployed["status"], "failed", "{deployed}");
    let told = deployed["findings"].to_string();
    assert!(
        told.contains("Read-only file system") && told.contains("`systemctl restart switchyard`"),
        "{told}"
    );
    drop(old);

    // A unit that does not name the directory has to be told of it first.
    let elsewhere = own.etc("other");
    let old = service(&mut own, STRICT, &elsewhere);
    serves(&own).await;
    let (_, tested) = check(
        &own.host,
        &["instance", "test", "pbx1", "--json"],
        "service_writes",
    );
    let mend = tested["mend"].as_str().unwrap();
    assert!(
        mend.contains(&format!("`ReadWritePaths={}`", ours.display())) && mend.ends_with(restart),
        "{tested}"
    );
    drop(old);

    let _restarted = service(&mut own, WITH_OURS, &ours);
    serves(&own).await;
    let test = ["instance", "test", "pbx1", "--json"];
    let (code, tested) = check(&own.host, &test, "service_writes");
    assert_eq!((code, &tested["ok"]), (0, &Value::Bool(true)), "{tested}");

    // Recordings can be played all the same where they cannot be removed: it says so, and is met.
    let recordings = own.etc("recordings");
    fs::create_dir(&recordings).unwrap();
    let named = [
        "instance",
        "change",
        "pbx1",
        "--recordings-dir",
        recordings.to_str().unwrap(),
    ];
    assert_eq!(own.host.run(&named).code, 0);
    let (code, tested) = check(&own.host, &test, "service_removes");
    assert_eq!((code, &tested["ok"]), (0, &Value::Bool(true)), "{tested}");
    assert!(
        tested["mend"].as_str().unwrap().contains("`ReadWritePaths="),
        "{tested}"
    );
    let (_, tested) = check(&own.host, &test, "recordings_dir");
    assert_eq!(
        (&tested["ok"], &tested["mend"]),
        (&Value::Bool(true), &Value::Null),
        "{tested}"
    );
    let again = own.run(&own.install(&["--json"]));
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["service"], Value::Null, "{again}");
    let deployed = deployed_by_the_service(&mut own.host);
    assert!(
        ["live", "unchanged"].contains(&deployed["status"].as_str().unwrap()),
        "{deployed}"
    );
}
