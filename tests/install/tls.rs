//! The manager interface over TLS, with certificates made for the test.

use std::fs;

use serde_json::{Value, json};

use super::host::Ended;
use super::own::{Own, asterisk_user, free_tcp};
use super::support::certificates::{self, authority};
use super::support::stock::asterisk_group;

/// A certificate for a place, signed by the authority `ca`.
fn certificate(own: &Own, place: &str) {
    let directory = own.path("lib/keys");
    certificates::certificate(&directory, "pbx", place);
    for name in ["pbx.key", "pbx.pem"] {
        if rustix::process::geteuid().is_root() {
            let path = directory.join(name);
            std::os::unix::fs::chown(&path, Some(asterisk_user()), Some(asterisk_group())).unwrap();
        }
    }
}

/// An Asterisk that speaks TLS, not started; gives the port, and where the certificates are.
fn speaking(place: &str) -> (Own, u16, String) {
    let own = Own::stock();
    authority(&own.path("lib/keys"), "ca");
    certificate(&own, place);
    let port = free_tcp();
    let keys = own.path("lib/keys").display().to_string();
    own.edit("manager.conf", |text| {
        let tls = format!(
            "[general]\ntlsenable = yes\ntlsbindaddr = 127.0.0.1:{port}\ntlscertfile = {keys}/pbx.pem\ntlsprivatekey = \
             {keys}/pbx.key\n"
        );
        text.replacen("[general]\n", &tls, 1)
    });
    (own, port, keys)
}

/// The same, installed as the host's configuration says, and started.
async fn started(place: &str) -> (Own, u16) {
    let (mut own, port, keys) = speaking(place);
    own.host.set("SWITCHYARD_AMI_TLS", "on");
    own.host.set("SWITCHYARD_AMI_CA_FILE", &format!("{keys}/ca.pem"));
    installed(&own, &[]);
    own.start().await;
    (own, port)
}

/// Installs, with further arguments; gives the instance as it is then.
#[track_caller]
fn installed(own: &Own, more: &[&str]) -> Value {
    let ended = own.run(&own.install(more));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{more:?}: {ended:?}");
    own.host.json(&["instance", "list"])["data"][0].clone()
}

fn tested(own: &Own) -> Ended {
    own.host.run(&["instance", "test", "pbx1"])
}

#[tokio::test]
async fn the_manager_interface_is_reached_over_tls_by_whom_it_proves_itself_to() {
    let (mut own, port) = started("IP:127.0.0.1").await;
    assert_eq!(own.host.json(&["instance", "list"])["data"][0]["ami_port"], port);
    let good = tested(&own);
    assert_eq!((good.code, good.err.as_str()), (0, ""), "{good:?}");

    authority(&own.path("lib/keys"), "other");
    own.host.set(
        "SWITCHYARD_AMI_CA_FILE",
        &own.path("lib/keys/other.pem").display().to_string(),
    );
    let stranger = tested(&own);
    assert_eq!(stranger.code, 9, "{stranger:?}");
    assert!(
        stranger.out.contains("did not prove by its certificate"),
        "{stranger:?}"
    );
    assert!(stranger.out.contains("ami.ca_file"), "{stranger:?}");
    fs::remove_file(own.path("lib/keys/other.pem")).unwrap();
    let unread = tested(&own);
    assert!(
        unread.code == 9 && unread.out.contains("other.pem cannot be used"),
        "{unread:?}"
    );
}

#[tokio::test]
async fn a_certificate_for_another_place_is_not_believed() {
    let (own, _) = started("DNS:pbx.example.com").await;
    let refused = tested(&own);
    assert_eq!(refused.code, 9, "{refused:?}");
    assert!(
        refused.out.contains("did not prove by its certificate"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_an_instance_says_of_tls_counts_more_than_what_its_host_says() {
    let (mut own, port, keys) = speaking("IP:127.0.0.1");
    let (ca, other) = (format!("{keys}/ca.pem"), format!("{keys}/other.pem"));
    authority(&own.path("lib/keys"), "other");
    // The host speaks none, then believes others.
    let instance = installed(&own, &["--ami-ca-file", &ca]);
    assert_eq!(instance["ami_tls"], json!({"mode": "on", "ca_file": ca}));
    assert_eq!(instance["ami_port"], port);
    own.start().await;
    assert_eq!(tested(&own).code, 0);
    own.host.set("SWITCHYARD_AMI_TLS", "on");
    own.host.set("SWITCHYARD_AMI_CA_FILE", &other);
    assert_eq!(tested(&own).code, 0);
    assert_eq!(installed(&own, &[]), instance, "what is not said anew stays");
    let host = installed(&own, &["--ami-tls", "host"]);
    assert_eq!(
        (&host["ami_tls"], &host["ami_port"]),
        (&Value::Null, &instance["ami_port"])
    );
    let stranger = tested(&own);
    assert!(
        stranger.code == 9 && stranger.out.contains("did not prove"),
        "{stranger:?}"
    );
    // By itself it believes whom the host believes.
    installed(&own, &["--ami-tls", "on"]);
    assert_eq!(tested(&own).code, 9);
    own.host.set("SWITCHYARD_AMI_CA_FILE", &ca);
    assert_eq!(tested(&own).code, 0);
    let off = installed(&own, &["--ami-tls", "off"]);
    assert_eq!(off["ami_tls"], json!({"mode": "off"}));
    assert!(off["ami_port"] != instance["ami_port"], "{off}");
    assert_eq!(tested(&own).code, 0);

    let wrong = own.run(&own.install(&["--ami-tls", "off", "--ami-ca-file", &ca]));
    assert!(
        wrong.code == 4 && wrong.err.contains("--ami-ca-file"),
        "{wrong:?}"
    );
}

#[test]
fn tls_that_asterisk_does_not_speak_is_named_before_anything_is_touched() {
    let mut own = Own::stock();
    own.host.set("SWITCHYARD_AMI_TLS", "on");
    let before = own.content();
    let ended = own.run(&own.install(&[]));
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.err.contains("`tlsenable = yes`"), "{ended:?}");
    assert!(own.content() == before, "something was touched");
}
