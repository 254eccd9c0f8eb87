//! Calls that were missed while the link to FreeSWITCH was down, as the daemon listens: what comes meanwhile is kept whatever
//! becomes of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::SignedDuration;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use switchyard::domain::call_record::CallGap;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::instance::{FusionPbxSettings, InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::driver::feed::{Archive, Asked, Feed, FeedFactory, News, Page, Place, Poll};
use switchyard::driver::fusionpbx::CallArchive;
use switchyard::driver::{DriverError, SocketFeed};
use switchyard::monitor::board::Board;
use switchyard::monitor::stream::Streams;
use switchyard::monitor::{self, Tools};
use switchyard::store::call_gaps;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fusionpbx::Booleans::Native;
use super::past_calls_world::{Row, calls_of, gaps_of, import};
use super::world::{TestTenant, World};

const RECORDED: &str = include_str!("../data/esl/14-events-register-and-sip-call.raw");

/// What a daemon makes to listen, and what it has asked.
#[derive(Clone, Default)]
struct Feeds {
    /// Each link ends at once.
    ends: bool,
    /// So many questions for missed calls break whoever asks.
    breaks: Arc<AtomicUsize>,
    /// How many links were made.
    links: Arc<AtomicUsize>,
    /// Each question for missed calls, by the password with which it was asked.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Feeds {
    fn links(&self) -> usize {
        self.links.load(Ordering::SeqCst)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn settings_of(instance: &PbxInstance) -> &FusionPbxSettings {
    let InstanceSettings::FusionPbx(settings) = &instance.settings else {
        panic!("{:?}", instance.settings);
    };
    settings
}

impl FeedFactory for Feeds {
    fn feed(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Option<Box<dyn Feed>> {
        self.links.fetch_add(1, Ordering::SeqCst);
        if self.ends {
            return Some(Box::new(Ended));
        }
        let settings = settings_of(instance);
        let (host, port) = (&settings.event_socket_host, settings.event_socket_port);
        Some(Box::new(SocketFeed::open(host, port, &secrets.control, || 0)?))
    }

    fn archive(&self, instance: &PbxInstance, secrets: &InstanceSecrets) -> Option<Box<dyn Archive>> {
        let password = secrets.database.as_ref().unwrap().expose_secret().to_owned();
        let archive = CallArchive::new(settings_of(instance), secrets);
        Some(Box::new(Noted(archive, password, self.clone())))
    }
}

/// The archive, whose questions are noted.
struct Noted(CallArchive, String, Feeds);

#[async_trait]
impl Archive for Noted {
    async fn page(&self, asked: &Asked, behind: Option<Place>) -> Result<Page, DriverError> {
        let Self(archive, password, feeds) = self;
        feeds.asked.lock().unwrap().push(password.clone());
        let breaks = &feeds.breaks;
        let broke = breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(broke.is_err(), "as a test wants it");
        archive.page(asked, behind).await
    }
}

/// A link that has ended.
struct Ended;

#[async_trait]
impl Feed for Ended {
    async fn next(&mut self) -> Option<News> {
        None
    }

    fn poll(&self) -> Box<dyn Poll> {
        panic!("nobody is told of a link");
    }
}

/// Listens as the daemon does, for as long as this lives.
fn listen(world: &World) -> JoinSet<()> {
    listen_by(world, &Feeds::default(), CancellationToken::new())
}

/// The same by these, until the soft stop.
fn listen_by(world: &World, feeds: &Feeds, stop: CancellationToken) -> JoinSet<()> {
    let tools = Tools {
        store: world.store.clone(),
        board: Board::new(Streams::new(1), SignedDuration::from_secs(9)),
        clock: Arc::new(SystemClock),
        period: Duration::from_secs(1),
        anew: monitor::ANEW,
    };
    let run = monitor::run("here".parse().unwrap(), Arc::new(feeds.clone()), tools, stop);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let Ok(()) = run.await;
    });
    task
}

/// Waits until what is asked for is so.
macro_rules! until {
    ($what:literal, $holds:expr) => {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !$holds {
            assert!(Instant::now() < deadline, "it did not come about that {}", $what);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
}

async fn is_heard(world: &World) -> bool {
    let mut tx = world.store.read("heard").await.unwrap();
    let heard = call_gaps::heard_until(&mut tx, world.instance_id).await.unwrap();
    heard.is_some()
}

/// The recorded call ends, as its caller's leg tells it.
fn tell_end(world: &World, tenant: &TestTenant) {
    let told = RECORDED.replace("demo.local", &tenant.domain);
    let ends: Vec<serde_json::Value> = told
        .match_indices("{\"Event-Name\":\"CHANNEL_HANGUP_COMPLETE\"")
        .map(|(at, _)| {
            let mut values = serde_json::Deserializer::from_str(told.get(at..).unwrap()).into_iter();
            values.next().unwrap().unwrap()
        })
        .collect();
    let text = ends.last().unwrap().to_string();
    let message = format!(
        "Content-Length: {}\nContent-Type: text/event-json\n\n{text}",
        text.len()
    );
    world.freeswitch.play(message.as_bytes());
}

/// The link breaks and comes back; meanwhile a call ends.
async fn miss(world: &mut World, tenant: &TestTenant) -> Row {
    until!("it is listened to", is_heard(world).await);
    world.freeswitch.close().await;
    // A whole second behind the deploy.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let row = Row::of(tenant, SystemClock.now(), 0);
    import(world, std::slice::from_ref(&row)).await;
    world.freeswitch.open().await;
    row
}

#[tokio::test]
async fn a11_what_was_missed_while_the_link_was_down_comes_in_once_it_is_back() {
    let mut world = World::new(Native).await;
    let (acme, _, globex, _) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let listening = listen(&world);
    let row = miss(&mut world, &acme).await;
    until!(
        "the call is there",
        !calls_of(&world.store, acme.id).await.is_empty()
    );
    assert_eq!(calls_of(&world.store, acme.id).await[0].call.as_str(), row.id);
    assert_eq!(
        gaps_of(&world.store, acme.id).await.len(),
        1,
        "others may be written yet"
    );
    tell_end(&world, &acme);
    until!(
        "the live one too",
        calls_of(&world.store, acme.id).await.len() == 2
    );
    assert!(calls_of(&world.store, globex.id).await.is_empty());
    // The daemon is started anew.
    drop(listening);
    let _listening = listen(&world);
    let row = miss(&mut world, &globex).await;
    until!(
        "its call is there",
        !calls_of(&world.store, globex.id).await.is_empty()
    );
    assert_eq!(calls_of(&world.store, globex.id).await[0].call.as_str(), row.id);
    assert_eq!(calls_of(&world.store, acme.id).await.len(), 2);
}

#[tokio::test]
async fn a11_a_database_that_says_no_keeps_nothing_from_being_heard() {
    let mut world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let role = world.settings.database_username.to_string();
    world
        .fusionpbx
        .run(&format!("revoke select on v_xml_cdr from {role}"))
        .await;
    let _listening = listen(&world);
    miss(&mut world, &acme).await;
    until!(
        "the gap is told",
        !gaps_of(&world.store, acme.id).await.is_empty()
    );
    until!("it is listened to again", {
        tell_end(&world, &acme);
        calls_of(&world.store, acme.id).await.len() == 1
    });
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(gaps_of(&world.store, acme.id).await.len(), 1);
    assert_eq!(calls_of(&world.store, acme.id).await.len(), 1);
}

#[tokio::test]
async fn a11_a_database_that_never_answers_keeps_nothing_from_being_heard_nor_from_the_end() {
    let mut world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let former = world.settings.database_port;
    let sql = format!(
        "update instances set settings = replace(settings, '\"database_port\":{former}', '\"database_port\":{port}')"
    );
    world.database.sql(sql.leak()).await;
    let stop = CancellationToken::new();
    let mut listening = listen_by(&world, &Feeds::default(), stop.clone());
    miss(&mut world, &acme).await;
    // It is being asked from here on.
    let asked = tokio::time::timeout(Duration::from_secs(30), silent.accept()).await;
    let _asked = asked.unwrap().unwrap();
    until!("what is told meanwhile is on record", {
        tell_end(&world, &acme);
        calls_of(&world.store, acme.id).await.len() == 1
    });
    stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), listening.join_next()).await;
    ended.unwrap().unwrap().unwrap();
}

#[rstest]
#[case::by_settings_alone(false)]
#[case::with_secrets_that_were_set_again(true)]
#[tokio::test]
async fn a11_a_database_that_is_reached_otherwise_by_now_is_asked_soon_and_the_link_stays(
    #[case] with_secrets: bool,
) {
    let mut world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let nobody = "nobody_here".parse().unwrap();
    world
        .reach(|settings, _| settings.database_username = nobody)
        .await;
    let feeds = Feeds::default();
    let _listening = listen_by(&world, &feeds, CancellationToken::new());
    let row = miss(&mut world, &acme).await;
    until!(
        "the gap is told",
        !gaps_of(&world.store, acme.id).await.is_empty()
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(calls_of(&world.store, acme.id).await.is_empty());
    // By the former settings a look that broke is made again after a minute.
    if with_secrets {
        world.reach(|_, _| ()).await;
    } else {
        let role = &world.settings.database_username;
        let sql = format!("update instances set settings = replace(settings, 'nobody_here', '{role}')");
        world.database.sql(sql.leak()).await;
    }
    until!(
        "the call is there",
        !calls_of(&world.store, acme.id).await.is_empty()
    );
    assert_eq!(calls_of(&world.store, acme.id).await[0].call.as_str(), row.id); // A link that is made anew would leave a gap.
    assert_eq!(feeds.links(), 1);
}

/// Nobody has listened since the deploy.
async fn note_gap(world: &World) {
    let to = SystemClock.now();
    let gap = CallGap {
        instance_id: world.instance_id,
        from: to - SignedDuration::from_secs(1),
        to,
    };
    let mut tx = world.store.begin("gap").await.unwrap();
    call_gaps::insert(&mut tx, gap).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a11_by_another_password_of_the_database_calls_are_looked_for_anew_and_the_link_stays() {
    let world = World::new(Native).await;
    world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    note_gap(&world).await;
    let feeds = Feeds::default();
    let _listening = listen_by(&world, &feeds, CancellationToken::new());
    until!("it is asked", feeds.asked().len() == 1);
    world
        .reach(|_, secrets| secrets.database = Some("another".into()))
        .await;
    until!("it is asked by the other", feeds.asked().len() == 2);
    assert_eq!(feeds.asked()[1], "another");
    assert_eq!(feeds.links(), 1);
    // The link has a password of its own.
    world.reach(|_, secrets| secrets.control = "another".into()).await;
    until!("another link is made", feeds.links() == 2);
}

#[tokio::test]
async fn a11_a_link_that_ends_again_and_again_has_no_gap_read_anew() {
    let world = World::new(Native).await;
    world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    note_gap(&world).await;
    let feeds = Feeds {
        ends: true,
        ..Feeds::default()
    };
    let _listening = listen_by(&world, &feeds, CancellationToken::new());
    until!("others listen", feeds.links() >= 4);
    assert_eq!(feeds.asked().len(), 1, "the next look is a minute later");
}

#[tokio::test]
async fn a11_whoever_panics_looking_for_missed_calls_is_replaced_and_the_link_stays() {
    let mut world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let feeds = Feeds::default();
    feeds.breaks.store(1, Ordering::SeqCst);
    let _listening = listen_by(&world, &feeds, CancellationToken::new());
    let row = miss(&mut world, &acme).await;
    until!(
        "the call is there",
        !calls_of(&world.store, acme.id).await.is_empty()
    );
    assert_eq!(calls_of(&world.store, acme.id).await[0].call.as_str(), row.id);
    assert_eq!((feeds.links(), feeds.asked().len()), (1, 2));
}
