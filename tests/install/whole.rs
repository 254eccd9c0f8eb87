//! The way of an operator: look, install, start, test, deploy, remove.

use std::fs;

use serde_json::Value;

use super::host::ACME;
use super::own::{Own, timeless};
use super::support::pbx::program;
use super::support::stock::asterisk_group;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn a_stock_asterisk_is_led_to_us_deployed_to_and_left_as_it_was() {
    let mut own = Own::stock();
    own.host
        .set("SWITCHYARD_DEPLOY_ASTERISK", &program().display().to_string());
    let before = own.everything();

    let dry = own.run(&own.install(&["--dry-run"]));
    assert_eq!((dry.code, dry.err.as_str()), (0, ""), "{dry:?}");
    for line in [
        "+#tryinclude",
        "+[switchyard]",
        "+switchyard => warning,error",
        "+noload => app_voicemail_odbc.so",
    ] {
        assert!(dry.out.contains(line), "{line}: {dry:?}");
    }
    assert!(own.everything() == before);
    assert_eq!(
        own.host.json(&["instance", "list"])["data"],
        serde_json::json!([])
    );

    let installed = own.run(&own.install(&[]));
    assert_eq!((installed.code, installed.err.as_str()), (0, ""), "{installed:?}");
    let account = fs::read_to_string(own.etc("manager.d/switchyard.conf")).unwrap();
    let secret = account
        .lines()
        .find_map(|line| line.strip_prefix("secret = "))
        .unwrap();
    assert_eq!(secret.len(), 32);
    for said in [&dry.out, &installed.out] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(installed.out.contains("has to be restarted"), "{installed:?}");
    // Debian's own manager.conf reads a directory whole, so that file needs no line of ours.
    assert!(before.get(&own.etc("manager.conf")) == own.everything().get(&own.etc("manager.conf")));
    assert_eq!(
        fs::read(own.etc("pjsip.conf.before-switchyard")).ok(),
        before
            .get(&own.etc("pjsip.conf"))
            .and_then(|found| found.bytes.clone())
    );

    let once = own.everything();
    let twice = own.run(&own.install(&[]));
    assert_eq!(twice.code, 0, "{twice:?}");
    assert!(twice.out.contains("none was touched"), "{twice:?}");
    assert!(own.everything() == once);
    assert_eq!(
        own.host.json(&["instance", "list"])["data"][0]["settings_revision"],
        1
    );
    let status = own.run(&["--json", "pbx", "status", "pbx1"].map(str::to_owned));
    let parts = json(&status.out)["parts"].as_array().unwrap().clone();
    let open: Vec<&Value> = parts.iter().filter(|part| part["state"] != "in_place").collect();
    // Of this host's modules it cannot know where the tests have them.
    assert!(
        open.iter()
            .all(|part| part["name"] == "voicemail_twins" || part["name"] == "config_dir"),
        "{open:?}"
    );

    own.start().await;
    let tested = own.host.json(&["instance", "test", "pbx1"]);
    assert_eq!(tested["ok"], true, "{tested}");
    own.host
        .ok(&["tenant", "add", "--name", "Acme Inc.", "--domain", ACME]);
    own.host.add_extension("1001", "Ann");
    let deployed = own.host.json(&["deploy", "apply", "--tenant", ACME]);
    assert_eq!(deployed["status"], "live", "{deployed}");
    let endpoint = "pjsip show endpoint 1001@acme.example.com";
    assert!(own.console(endpoint).contains("Endpoint:  1001@acme.example.com"));
    let tested = own.host.json(&["instance", "test", "pbx1"]);
    assert_eq!(tested["ok"], true, "{tested}");

    let refused = own.host.refused(5, &["pbx", "remove", "pbx1"]);
    assert!(refused.contains("serves 1 tenants"), "{refused}");
    let removed = own.host.run(&["pbx", "remove", "pbx1", "--force", "--reload"]);
    assert_eq!((removed.code, removed.err.as_str()), (0, ""), "{removed:?}");
    assert!(!own.console(endpoint).contains("Endpoint:  1001@acme.example.com"));
    let mut after = own.content();
    let ours = own.etc("switchyard");
    after.retain(|path, _| !path.starts_with(&ours));
    assert!(
        after == timeless(before),
        "other files than before, or other bytes"
    );
    assert!(ours.join("live/pjsip.conf").exists(), "what was deployed stays");
}

#[test]
fn our_directory_is_the_daemons_and_asterisks_group_reads_it() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let own = Own::stock();
    let user = if rustix::process::geteuid().is_root() {
        65533
    } else {
        super::own::asterisk_user()
    };
    let data = own.host.path("");
    for path in [data.clone(), data.join("switchyard.db")] {
        chown(path, Some(user), None).unwrap();
    }
    let installed = own.run(&own.install(&[]));
    assert_eq!((installed.code, installed.err.as_str()), (0, ""), "{installed:?}");
    let made = fs::metadata(own.etc("switchyard")).unwrap();
    assert_eq!(
        (made.uid(), made.gid(), made.mode() & 0o7777),
        (user, asterisk_group(), 0o2750)
    );
    let account = fs::metadata(own.etc("manager.d/switchyard.conf")).unwrap();
    assert_eq!(
        (account.gid(), account.mode() & 0o7777),
        (asterisk_group(), 0o640)
    );
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("switchyard.db") {
            assert_eq!(entry.metadata().unwrap().uid(), user, "{name}");
        }
    }
}

#[test]
fn what_was_made_for_a_bare_directory_is_gone_again() {
    let own = Own::stock();
    for name in ["logger.conf", "voicemail.conf"] {
        fs::remove_file(own.etc(name)).unwrap();
    }
    // A manager.conf that reads no directory, and files without a last line end or with those of DOS.
    own.edit("manager.conf", |text| {
        text.replace("#include \"manager.d/*.conf\"", "")
    });
    own.edit("extensions.conf", |text| text.trim_end().to_owned());
    own.edit("pjsip.conf", |text| text.replace('\n', "\r\n"));
    let before = own.content();
    let installed = own.run(&own.install(&[]));
    assert_eq!(installed.code, 0, "{installed:?}");
    let manager = fs::read_to_string(own.etc("manager.conf")).unwrap();
    let line = format!("#tryinclude {}\n", own.etc("manager-switchyard.conf").display());
    assert!(manager.ends_with(&line), "{manager}");
    assert!(
        fs::read(own.etc("pjsip.conf"))
            .unwrap()
            .ends_with(b"live/pjsip.conf ; by switchyard pbx install\r\n")
    );
    assert!(own.content() != before);
    let removed = own.host.run(&["pbx", "remove", "pbx1"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(own.content() == before, "other files than before, or other bytes");
}
