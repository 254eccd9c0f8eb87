//! Manager accounts of a real Asterisk that are told of no calls: what polls find is shown, and never as if it were known.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::rig::{ACME, Rig, call, hang_up};
use super::support::pbx::Pbx;
use super::support::wait::until;

const ACCOUNT: &str = "account";
const DEAF: &str = "read = system,cdr\n";
const HEARS: &str = "read = system,call,cdr\n";

impl Rig {
    /// With an account that hears what these lines say.
    async fn start_reading(read: &str) -> Self {
        let pbx = Pbx::start().await;
        pbx.add_account(ACCOUNT, &format!("{read}write = system,reporting,originate,user"));
        let secret = SecretString::from("secret");
        let anew = [Duration::from_millis(100); 4];
        Self::start_as(
            pbx,
            ACCOUNT.parse().unwrap(),
            secret,
            Duration::from_secs(1),
            anew,
        )
        .await
    }

    /// Writes it into Asterisk's own file that the account hears this.
    fn write_reading(&self, read: &str) {
        let path = self.pbx.home().join("etc/manager.conf");
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, account) = text.split_once(&format!("[{ACCOUNT}]")).unwrap();
        let (former, _) = account.split_once("write =").unwrap();
        let (_, former) = former.split_once("secret = secret\n").unwrap();
        let account = account.replacen(former, read, 1);
        std::fs::write(&path, format!("{before}[{ACCOUNT}]{account}")).unwrap();
    }

    fn as_of(&self) -> Option<Timestamp> {
        self.monitor.figures().and_then(|figures| figures.freshness.as_of)
    }

    /// Sees that it is stale until so many polls more were taken.
    async fn stays_stale(&self, polls: usize) {
        let mut seen = BTreeSet::from([self.as_of()]);
        for _ in 0..3_000 {
            assert!(!self.monitor.is_fresh(), "nothing is heard of calls");
            seen.insert(self.as_of());
            if seen.len() > polls {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no poll is taken any more: {seen:?}");
    }

    /// Whether it is fresh before so many polls more were taken.
    async fn is_fresh_within(&self, polls: usize) -> bool {
        let mut seen = BTreeSet::new();
        for _ in 0..3_000 {
            seen.insert(self.as_of());
            if self.monitor.is_fresh() || seen.len() > polls {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.monitor.is_fresh()
    }

    fn has(&self, calls: usize) -> bool {
        self.told().get(ACME).map_or(0, BTreeSet::len) == calls
    }
}

#[tokio::test]
async fn asterisk_o10_an_account_that_hears_no_calls_is_never_fresh_until_it_may() {
    let rig = Rig::start_reading(DEAF).await;
    let mut ami = rig.pbx.ami();
    until("a poll is taken", || rig.as_of().is_some()).await;
    rig.stays_stale(3).await;
    call(&mut ami, ACME, 2).await;
    until("a poll finds them", || rig.has(2)).await;
    rig.stays_stale(3).await;
    rig.write_reading(HEARS);
    ami.console("manager reload");
    until("it is known", || rig.monitor.is_fresh()).await;
    let before = rig.monitor.figures().unwrap().corrected;
    call(&mut ami, ACME, 3).await;
    hang_up(&mut ami, ACME, 1).await;
    rig.agrees(&mut ami, "it hears").await;
    // As many polls as one waits for the news of what it has put right.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let figures = rig.monitor.figures().unwrap();
    assert_eq!((figures.corrected, figures.freshness.stale), (before, false));
}

#[tokio::test]
async fn asterisk_o10_an_account_of_which_the_file_says_more_than_asterisk_has_read_is_found_out() {
    let rig = Rig::start_reading(DEAF).await;
    let mut ami = rig.pbx.ami();
    rig.write_reading(HEARS);
    until("the file is believed", || rig.monitor.is_fresh()).await;
    call(&mut ami, ACME, 1).await;
    until("a poll finds what no event told of", || {
        rig.monitor.figures().is_some_and(|figures| figures.corrected > 0)
    })
    .await;
    until("it is found out", || !rig.monitor.is_fresh()).await;
    assert!(rig.has(1));
    rig.stays_stale(3).await;
    ami.console("manager reload");
    // One is missed on the link that was made before Asterisk read it, and one is heard on the next.
    for _ in 0..10 {
        call(&mut ami, ACME, 1).await;
        if rig.is_fresh_within(4).await {
            break;
        }
    }
    rig.agrees(&mut ami, "it hears by now").await;
}
