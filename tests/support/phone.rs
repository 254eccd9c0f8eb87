//! A SIP phone that shares no code with ours: sipp, which registers with digest authentication.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};

/// A REGISTER, the challenge, and a REGISTER that answers it; `@…@` is what differs from phone to phone.
const REGISTER: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="register">
  <send retrans="500"><![CDATA[

    REGISTER sip:@DOMAIN@ SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:@NUMBER@@@DOMAIN@>;tag=[call_number]
    To: <sip:@NUMBER@@@DOMAIN@>
    Call-ID: [call_id]
    CSeq: 1 REGISTER
    Contact: <sip:@NUMBER@@[local_ip]:[local_port]>
    Max-Forwards: 70
    Expires: 60
    Content-Length: 0

  ]]></send>
  <recv response="401" auth="true"/>
  <send retrans="500"><![CDATA[

    REGISTER sip:@DOMAIN@ SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:@NUMBER@@@DOMAIN@>;tag=[call_number]
    To: <sip:@NUMBER@@@DOMAIN@>
    Call-ID: [call_id]
    CSeq: 2 REGISTER
    Contact: <sip:@NUMBER@@[local_ip]:[local_port]>
    [authentication username=@NUMBER@ password=@SECRET@]
    Max-Forwards: 70
    Expires: 60
    Content-Length: 0

  ]]></send>
  <recv response="200"/>
</scenario>
"#;

/// Whether a phone that signs in as this extension gets its 200.
pub fn registers(pbx: SocketAddr, number: &str, domain: &str, secret: &str) -> bool {
    let program = std::env::var_os("SWITCHYARD_TEST_SIPP").unwrap_or_else(|| "sipp".into());
    let directory = tempfile::tempdir().unwrap();
    let scenario = directory.path().join("register.xml");
    let text = REGISTER
        .replace("@NUMBER@", number)
        .replace("@DOMAIN@", domain)
        .replace("@SECRET@", secret);
    std::fs::write(&scenario, text).unwrap();
    let status = Command::new(&program)
        .arg(pbx.to_string())
        .arg("-sf")
        .arg(&scenario)
        .args(["-m", "1", "-i", "127.0.0.1", "-p", &free_port().to_string()])
        .args(["-timeout", "10s", "-timeout_error", "-nostdin"])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| {
            panic!(
                "{} does not start ({error}); run ./scripts/test, it installs sipp",
                program.display()
            )
        });
    match status.code() {
        Some(0) => true,
        // A call that failed; any other code is sipp's own trouble.
        Some(1) => false,
        code => panic!("sipp ended with {code:?}"),
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket.local_addr().unwrap().port()
}
