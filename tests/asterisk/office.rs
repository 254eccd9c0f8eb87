//! Tenants on a running PBX, with phones that sign in and call over real SIP.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::support::bench::Bench;
use super::support::sipp::{Account, Sipp};
use super::support::tenants::TestTenant;
use super::support::wait::{came, until};

pub const ACME: &str = "acme.example.com";
pub const GLOBEX: &str = "globex.example.com";

/// A running PBX with tenants, and phones for them.
pub struct Office {
    pub bench: Bench,
    prompts: PathBuf,
}

impl Office {
    pub async fn open(tenants: &[TestTenant]) -> Self {
        let mut bench = Bench::start().await;
        bench.serve(tenants).await;
        // Asterisk tells which prompts it plays.
        let home = bench.pbx.home();
        let mut logger = OpenOptions::new()
            .append(true)
            .open(home.join("etc/logger.conf"))
            .unwrap();
        logger.write_all(b"prompts => verbose(5)\n").unwrap();
        bench.pbx.ami().console("logger reload");
        let prompts = home.join("log/prompts");
        Self { bench, prompts }
    }

    pub fn run(&self, scenario: &str, account: &Account, keys: &[(&str, &str)]) -> Sipp {
        let pbx = &self.bench.pbx;
        Sipp::start(scenario, pbx.private.sip(), account, keys, pbx.directory.path())
    }

    /// Signs an account in as an address; the scenario, at its end, and whether it was let in.
    pub async fn register(&self, account: &Account, address: &str) -> (Sipp, bool) {
        let mut register = self.run("register", account, &[("as", address)]);
        let let_in = register.ended().await;
        (register, let_in)
    }

    /// A phone that is signed in and does what the scenario says.
    pub async fn phone(&self, scenario: &str, number: &str, domain: &str) -> Sipp {
        // Its sound goes nowhere.
        self.phone_with(scenario, number, domain, "9").await
    }

    pub async fn phone_with(&self, scenario: &str, number: &str, domain: &str, media: &str) -> Sipp {
        let account = Account::new(number, domain);
        let (register, let_in) = self.register(&account, &account.address()).await;
        assert!(let_in, "{:#?}", register.heard());
        let phone = self.run(scenario, &account, &[("media", media)]);
        // Asterisk rings only phones that it knows to be there.
        let address = account.address();
        until(&format!("{address} is reachable"), || {
            let contacts = self.bench.pbx.ami().console(&format!("pjsip show aor {address}"));
            contacts
                .iter()
                .any(|line| line.contains("Contact:") && line.contains(" Avail "))
        })
        .await;
        phone
    }

    /// An account calls a number of its own domain.
    pub fn call(&self, account: &Account, number: &str, media: &str) -> Sipp {
        let target = format!("{number}@{}", account.domain);
        self.run("call", account, &[("target", &target), ("media", media)])
    }

    pub fn hang_up_all(&self) {
        self.bench
            .pbx
            .ami()
            .ask("Hangup", &[("Channel", "/^PJSIP.*/"), ("Cause", "16")]);
    }

    /// Waits until a prompt was played.
    pub async fn prompt(&self, name: &str) {
        self.prompt_again(name, 1).await;
    }

    /// Waits until a prompt was played so many times.
    pub async fn prompt_again(&self, name: &str, times: usize) {
        let line = format!("Playing '{name}.");
        let came = came(|| self.played().matches(&line).count() >= times).await;
        assert!(came, "the prompt {name} is not played: {}", self.played());
    }

    /// What Asterisk did in all calls.
    pub fn played(&self) -> String {
        std::fs::read_to_string(&self.prompts).unwrap_or_default()
    }
}

/// An extension with a name and nothing else.
pub fn plain(number: &str, name: &str) -> Value {
    json!({"number": number, "name": name})
}
