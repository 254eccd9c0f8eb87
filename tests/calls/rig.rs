//! A database with two tenants, a PBX behind a proxy, and what listens to it as the daemon has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use secrecy::SecretString;
use switchyard::app::App;
use switchyard::app::calls::{self, ActiveCalls};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::instance::{AccountName, AsteriskSettings, InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::driver::SocketFeed;
use switchyard::driver::asterisk::{ManagerFeed, Transport};
use switchyard::driver::feed::{Feed, FeedFactory};
use switchyard::monitor::board::{Board, Figures};
use switchyard::monitor::stream::Streams;
use switchyard::monitor::{self, Tools};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::proxy::{Proxy, Way};
use super::support::ami::{Ami, field};
use super::support::database::Backend;
use super::support::pbx::Pbx;
use super::support::world::{NODE, Phone, Tenant, World};

/// Once the link to a PBX can be had again, for so long at the most calls are not known: it is required.
pub const EXACT: Duration = Duration::from_secs(2);

/// That it was not longer; gives how long it was.
pub fn soon(since: Instant, when: &str) -> Duration {
    let took = since.elapsed();
    assert!(took < EXACT, "{when}: right again after {took:?}");
    took
}

pub const ACME: &str = "acme.example.com";
pub const GLOBEX: &str = "globex.example.com";

/// As the daemon makes them; chance has each pause between two tries as long as it may be.
pub struct Feeds;

impl FeedFactory for Feeds {
    fn feed(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Option<Box<dyn Feed>> {
        match &instance.settings {
            InstanceSettings::Asterisk(settings) => Some(Box::new(ManagerFeed::open(
                settings,
                &secrets.control,
                &Transport::default(),
                || u32::MAX,
            ))),
            InstanceSettings::FreeSwitch(settings) => {
                let (host, port) = (&settings.event_socket_host, settings.event_socket_port);
                Some(Box::new(SocketFeed::open(host, port, &secrets.control, || {
                    u32::MAX
                })?))
            }
            InstanceSettings::FusionPbx(_) => None,
        }
    }
}

/// What listens to the PBXs of a host.
pub struct Monitor {
    pub board: Board,
    _task: JoinSet<()>,
}

impl Monitor {
    pub fn start(world: &World, period: Duration) -> Self {
        Self::start_with(world, Arc::new(Feeds), period)
    }

    pub fn start_with(world: &World, feeds: Arc<dyn FeedFactory>, period: Duration) -> Self {
        Self::start_anew(world, feeds, period, monitor::ANEW)
    }

    /// With other pauses before a link on which nothing is heard is made anew.
    fn start_anew(world: &World, feeds: Arc<dyn FeedFactory>, period: Duration, anew: [Duration; 4]) -> Self {
        let oldest = SignedDuration::try_from(period * 2).unwrap() + SignedDuration::from_secs(7);
        let board = Board::new(Streams::new(1), oldest);
        let tools = Tools {
            store: world.store.clone(),
            board: board.clone(),
            clock: Arc::new(SystemClock),
            period,
            anew,
        };
        let run = monitor::run(NODE.parse().unwrap(), feeds, tools, CancellationToken::new());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let Ok(()) = run.await;
        });
        Self { board, _task: task }
    }

    /// What is known of the only PBX; none where none is listened to.
    pub fn figures(&self) -> Option<Figures> {
        self.board.figures(SystemClock.now()).pop()
    }

    pub fn is_fresh(&self) -> bool {
        self.figures().is_some_and(|figures| !figures.freshness.stale)
    }
}

/// One private Asterisk with two tenants, listened to through a proxy.
pub struct Rig {
    pub world: World,
    pub monitor: Monitor,
    pub app: App,
    pub acme: Tenant,
    pub globex: Tenant,
    pub phones: [Phone; 2],
    pub proxy: Proxy,
    pub pbx: Pbx,
}

impl Rig {
    pub async fn start(period: Duration) -> Self {
        let pbx = Pbx::start().await;
        let settings = pbx.private.settings();
        let (account, secret) = (settings.ami_username.clone(), pbx.private.secret().clone());
        Self::start_as(pbx, account, secret, period, monitor::ANEW).await
    }

    /// With another manager account of this Asterisk.
    pub async fn start_as(
        pbx: Pbx,
        account: AccountName,
        secret: SecretString,
        period: Duration,
        anew: [Duration; 4],
    ) -> Self {
        let proxy = Proxy::before(pbx.private.settings().ami_port).await;
        let settings = AsteriskSettings {
            ami_port: proxy.port,
            ami_username: account,
            ..pbx.private.settings().clone()
        };
        let world = World::new(
            Backend::Sqlite,
            InstanceSettings::Asterisk(settings),
            InstanceSecrets::of_control(secret),
            pbx.directory.path(),
        )
        .await;
        let (acme, phones, globex, _) = world.acme_and_globex().await;
        world
            .deploy_platform()
            .await
            .expect(switchyard::domain::deployment::DeploymentStatus::Live);
        let monitor = Monitor::start_anew(&world, Arc::new(Feeds), period, anew);
        Self {
            app: world.app.clone().with_board(monitor.board.clone()),
            world,
            monitor,
            acme,
            globex,
            phones,
            proxy,
            pbx,
        }
    }

    /// What Asterisk itself says, read by a reader that shares no code with ours: each call by its domain.
    pub fn truth(ami: &mut Ami) -> BTreeMap<String, BTreeSet<String>> {
        let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for channel in ami.list("CoreShowChannels", &[]) {
            let name = field(&channel, "Channel").unwrap();
            let domain = [ACME, GLOBEX]
                .into_iter()
                .find(|domain| name.contains(&format!("@{domain}-")))
                .unwrap_or_else(|| panic!("whose is {name}?"));
            let call = field(&channel, "Linkedid").unwrap().to_owned();
            calls.entry(domain.to_owned()).or_default().insert(call);
        }
        calls
    }

    /// What ours says of the two tenants, by what Asterisk calls each call.
    pub fn told(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for tenant in [&self.acme, &self.globex] {
            let of_tenant =
                self.monitor
                    .board
                    .of_tenant(tenant.id, self.world.instance_id, SystemClock.now());
            for call in of_tenant.0 {
                calls
                    .entry(tenant.domain.clone())
                    .or_default()
                    .insert(call.link.to_string());
            }
        }
        calls
    }

    /// Opens the link; gives from when on it could be had again.
    pub fn open(&self) -> Instant {
        let since = Instant::now();
        self.proxy.set(Way::Open);
        since
    }

    /// Waits until it is fresh and what Asterisk says.
    pub async fn agrees(&self, ami: &mut Ami, when: &str) {
        let begun = Instant::now();
        loop {
            // In one moment: both before and after what ours says.
            let before = Self::truth(ami);
            let (told, fresh) = (self.told(), self.monitor.is_fresh());
            if fresh && told == before {
                return;
            }
            let waited = begun.elapsed();
            assert!(
                waited < Duration::from_secs(30),
                "{when}: fresh: {fresh}\n{told:?}\n{before:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn until_stale(&self) {
        super::support::wait::until("it says that it may be otherwise", || !self.monitor.is_fresh()).await;
    }

    pub async fn calls(&self, tenant: &Tenant) -> ActiveCalls {
        calls::active(&self.app, &tenant.caller).await.unwrap()
    }
}

/// Puts calls up that go on, and waits until Asterisk has them: a Local channel each, at the echo test of a domain.
pub async fn call(ami: &mut Ami, domain: &str, count: usize) {
    let wanted = firsts(ami, domain).len() + count;
    for _ in 0..count {
        let channel = format!("Local/*43@{domain}");
        let headers = [
            ("Channel", channel.as_str()),
            ("Application", "Wait"),
            ("Data", "3600"),
            ("Async", "true"),
        ];
        let answer = ami.ask("Originate", &headers);
        assert_eq!(field(&answer, "Response"), Some("Success"), "{answer:?}");
    }
    settle(ami, "the calls are up", |ami| firsts(ami, domain).len() >= wanted).await;
}

/// Ends so many of the calls of a domain, and waits until Asterisk has nothing left of them.
pub async fn hang_up(ami: &mut Ami, domain: &str, count: usize) {
    let mut ending = firsts(ami, domain);
    ending.truncate(count);
    for (name, _) in &ending {
        ami.ask("Hangup", &[("Channel", name)]);
    }
    // The other half of each goes a moment later.
    settle(ami, "the calls are over", |ami| {
        let left = ami.list("CoreShowChannels", &[]);
        let is_left = |linked: &str| {
            left.iter()
                .any(|channel| field(channel, "Linkedid") == Some(linked))
        };
        !ending.iter().any(|(_, linked)| is_left(linked))
    })
    .await;
}

/// The first channel of each call of a domain, with what links the others to it.
fn firsts(ami: &mut Ami, domain: &str) -> Vec<(String, String)> {
    let channels = ami.list("CoreShowChannels", &[]);
    let firsts = channels
        .iter()
        .filter(|channel| field(channel, "Uniqueid") == field(channel, "Linkedid"));
    let text = |channel, key| field(channel, key).unwrap().to_owned();
    firsts
        .map(|channel| (text(channel, "Channel"), text(channel, "Linkedid")))
        .filter(|(name, _)| name.contains(&format!("@{domain}-")))
        .collect()
}

/// Asterisk answers before it has done what it was asked for: whoever looks at once could find the state before it.
async fn settle(ami: &mut Ami, what: &str, holds: impl Fn(&mut Ami) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds(ami) {
        assert!(Instant::now() < deadline, "it did not come about that {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether it holds until three polls more were taken.
pub async fn through_polls(polls: impl Fn() -> usize, otherwise: &str, holds: impl Fn() -> bool) {
    let begun = polls();
    while polls() < begun + 3 {
        assert!(holds(), "{otherwise}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
