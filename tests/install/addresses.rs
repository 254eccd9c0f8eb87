//! Who is let in by the account that `pbx install` makes: whoever calls from loopback, and nobody from another host.

use std::fs;
use std::process::{Command, Stdio};

use rstest::rstest;

use super::own::Own;

/// Names, in a test that runs in a network of its own, the process whose network is another host's.
const OTHER_HOST: &str = "SWITCHYARD_TEST_OTHER_HOST";
/// This host's addresses on the wire between the two.
const HERE: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// Two hosts on one wire, each with a loopback of its own; both end with the test.
const WIRE: &str = "set -eu
    ip link set lo up
    setpriv --pdeathsig=KILL unshare --net sleep 600 >/dev/null 2>&1 &
    other=$!
    until [ \"$(readlink /proc/$other/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do sleep 0.05; done
    ip link add here type veth peer name there netns $other
    ip addr add 192.0.2.1/24 dev here
    ip addr add 2001:db8::1/64 dev here nodad
    ip link set here up
    nsenter --net=/proc/$other/ns/net sh -c 'ip link set lo up && ip link set there up &&
        ip addr add 192.0.2.2/24 dev there && ip addr add 2001:db8::2/64 dev there nodad'
    export SWITCHYARD_TEST_OTHER_HOST=$other
    exec \"$@\"";

/// Signs in at an address and signs off; prints what the manager says.
const SIGN_IN: &str = "exec 3<>/dev/tcp/$0/$1
    printf 'Action: Login\\r\\nUsername: %s\\r\\nSecret: %s\\r\\nEvents: off\\r\\n\\r\\nAction: Logoff\\r\\n\\r\\n' $2 $3 >&3
    timeout 20 cat <&3";

/// Runs this test once more, on the first of two hosts.
fn on_a_wire() {
    let this = std::thread::current();
    let this = this.name().expect("each test has a thread of its name");
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.args(["--net", "sh", "-c", WIRE, "sh"]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", this, "--nocapture"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

/// Whether the manager lets somebody in at an address; on the other host, if it is one of the wire's.
fn is_let_in(address: &str, port: u16, account: &str, secret: &str) -> bool {
    let mut command = Command::new("nsenter");
    if HERE.contains(&address) {
        let other = std::env::var(OTHER_HOST).unwrap();
        command.arg(format!("--net=/proc/{other}/ns/net"));
    }
    let output = command
        .args(["bash", "-c", SIGN_IN, address, &port.to_string(), account, secret])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let banner = said.starts_with("Asterisk Call Manager/");
    assert!(
        banner,
        "{address}: {said} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let accepted = said.contains("Message: Authentication accepted");
    assert!(
        accepted != said.contains("Message: Authentication failed"),
        "{said}"
    );
    accepted
}

/// Where the interface is bound, where it is then reached, and where of these the account is let in.
#[rstest]
#[case::loopback("127.0.0.1", &["127.0.0.1"], "127.0.0.1")]
#[case::loopback_6("::1", &["::1"], "::1")]
#[case::everywhere("0.0.0.0", &["127.0.0.1", HERE[0]], "127.0.0.1")]
#[case::everywhere_6("::", &["127.0.0.1", "::1", HERE[0], HERE[1]], "127.0.0.1")]
#[tokio::test]
async fn the_account_is_let_in_from_loopback_and_from_no_other_host(
    #[case] bound: &str,
    #[case] reached: &[&str],
    #[case] welcome: &str,
) {
    if std::env::var_os(OTHER_HOST).is_none() {
        return on_a_wire();
    }
    let mut own = Own::stock();
    if bound != "127.0.0.1" {
        own.edit("manager.conf", |text| {
            text.replacen("bindaddr = 127.0.0.1", &format!("bindaddr = {bound}"), 1)
        });
    }
    let others = "[half]\nsecret = other\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\nread = system\n\
        [open]\nsecret = other\nread = system\n";
    fs::write(own.etc("manager.d/others.conf"), others).unwrap();
    let installed = own.run(&own.install(&[]));
    assert_eq!(installed.code, 0, "{installed:?}");
    own.start().await;
    let tested = own.host.json(&["instance", "test", "pbx1"]);
    assert_eq!(tested["ok"], true, "{bound}: {tested}");
    let instance = &own.host.json(&["instance", "list"])["data"][0];
    assert_eq!(instance["ami_host"], welcome, "{bound}");
    let port = instance["ami_port"].as_u64().unwrap().try_into().unwrap();
    let account = fs::read_to_string(own.etc("manager.d/switchyard.conf")).unwrap();
    let secret = account
        .lines()
        .find_map(|line| line.strip_prefix("secret = "))
        .unwrap();
    for address in reached {
        let ours = is_let_in(address, port, "switchyard", secret);
        assert_eq!(ours, *address == welcome, "{address} of {bound}");
        // Nothing but the account's own lines keeps others out, and without its second `deny` all of IPv6 is let in.
        assert!(is_let_in(address, port, "open", "other"), "{address} of {bound}");
        let half = is_let_in(address, port, "half", "other");
        assert_eq!(
            half,
            address.contains(':') || *address == "127.0.0.1",
            "{address} of {bound}"
        );
    }
}
