//! Calls that were missed while the link to FreeSWITCH was down, as the daemon listens: what comes meanwhile is kept whatever
//! becomes of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::instance::{InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::driver::feed::{Feed, FeedFactory};
use switchyard::driver::fusionpbx::FusionPbxFeed;
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

struct Feeds;

impl FeedFactory for Feeds {
    fn feed(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Option<Box<dyn Feed>> {
        let InstanceSettings::FusionPbx(settings) = &instance.settings else {
            panic!("{:?}", instance.settings);
        };
        Some(Box::new(FusionPbxFeed::open(settings, secrets, || 0)?))
    }
}

/// Listens as the daemon does, for as long as this lives.
fn listen(world: &World) -> JoinSet<()> {
    listen_until(world, CancellationToken::new())
}

/// The same until the soft stop.
fn listen_until(world: &World, stop: CancellationToken) -> JoinSet<()> {
    let tools = Tools {
        store: world.store.clone(),
        board: Board::new(Streams::new(1), SignedDuration::from_secs(9)),
        clock: Arc::new(SystemClock),
        period: Duration::from_secs(1),
        anew: monitor::ANEW,
    };
    let run = monitor::run("here".parse().unwrap(), Arc::new(Feeds), tools, stop);
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
    let mut listening = listen_until(&world, stop.clone());
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

#[tokio::test]
async fn a11_a_database_that_is_reached_otherwise_by_now_is_asked_soon() {
    let mut world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let nobody = "nobody_here".parse().unwrap();
    world
        .reach(|settings, _| settings.database_username = nobody)
        .await;
    let _listening = listen(&world);
    let row = miss(&mut world, &acme).await;
    until!(
        "the gap is told",
        !gaps_of(&world.store, acme.id).await.is_empty()
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(calls_of(&world.store, acme.id).await.is_empty());
    // The settings alone become other ones, and no secret. By the former a look that broke is made again after a minute.
    let role = &world.settings.database_username;
    let sql = format!("update instances set settings = replace(settings, 'nobody_here', '{role}')");
    world.database.sql(sql.leak()).await;
    until!(
        "the call is there",
        !calls_of(&world.store, acme.id).await.is_empty()
    );
    assert_eq!(calls_of(&world.store, acme.id).await[0].call.as_str(), row.id);
}
