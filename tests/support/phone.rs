//! A SIP phone that shares no code with ours: whether it gets its sign-in through.

use std::net::SocketAddr;

use super::sipp::{Account, Sipp};

/// Whether a phone that signs in as this extension gets its 200.
pub fn registers(pbx: SocketAddr, number: &str, domain: &str, secret: &str) -> bool {
    let mut account = Account::new(number, domain);
    secret.clone_into(&mut account.secret);
    let directory = tempfile::tempdir().unwrap();
    let mut phone = Sipp::start(
        "register",
        pbx,
        &account,
        &[("as", &account.address())],
        directory.path(),
    );
    let let_in = phone.wait();
    assert!(
        let_in || !phone.statuses().is_empty(),
        "Asterisk does not answer at {pbx}"
    );
    let_in
}
