//! Lookups that are under way while secrets change: none is left with what was there before.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use switchyard::app::extensions;
use switchyard::app::precondition::IfMatch;
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::secret::SipSecret;
use switchyard::wire::esl::{Attribute, Client, Word};

use super::freeswitch::Race;
use super::fusionpbx::Booleans::Native;
use super::world::{Phone, TestTenant, World};

/// Secrets that one deploy changes.
const EXTENSIONS: usize = 20;
const CLIENTS: usize = 4;
const LIMIT: Duration = Duration::from_secs(10);

/// How many deploys: more in the long run.
fn deploys() -> usize {
    if std::env::var_os("SWITCHYARD_TEST_ALL").is_some() {
        20
    } else {
        4
    }
}

/// What FreeSWITCH says at its event socket that a phone signs in with.
async fn served(client: &Client, tenant: &TestTenant, number: &str) -> Option<String> {
    let [number, domain, name] = [number, &tenant.domain, "a1-hash"].map(|text| Word::new(text).unwrap());
    let asked = client.user_data(&number, &domain, Attribute::Param, &name, LIMIT);
    asked.await.unwrap()
}

async fn rotated(world: &World, tenant: &TestTenant, phone: &Phone) -> String {
    let id = phone.extension.id;
    let rotated = extensions::rotate_secret(&world.app, &tenant.caller, id, &IfMatch::Any).await;
    ha1(tenant, phone, &rotated.unwrap())
}

fn ha1(tenant: &TestTenant, phone: &Phone, secret: &SipSecret) -> String {
    let domain = tenant.domain.parse().unwrap();
    secret.ha1(&phone.extension.number, &domain).expose().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_hundreds_of_changed_secrets_under_four_hammering_clients_none_is_stale() {
    let mut world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    let mut phones = Vec::new();
    for number in 0..EXTENSIONS {
        phones.push(world.extension(&acme, &format!("10{number:02}"), "Phone").await);
    }
    world.deploy(&acme).await.expect(Live);
    world.freeswitch.cache().set_race(Race {
        pause: Duration::from_millis(5),
        ..Race::default()
    });
    let mut hammers = Vec::new();
    for _ in 0..CLIENTS {
        hammers.push(world.freeswitch.client().await);
    }
    let looking = world.freeswitch.client().await;
    let (stop, lookups) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (world, acme, phones) = (&world, &acme, &phones);
    let hammering = hammers.iter().enumerate().map(|(client, hammer)| {
        let (stop, lookups) = (&stop, &lookups);
        async move {
            // Each begins elsewhere, and goes round all of them without a pause.
            let mut round = phones.iter().cycle().skip(client * EXTENSIONS / CLIENTS);
            while !stop.load(Ordering::SeqCst) {
                let number = round.next().unwrap().number();
                assert!(
                    served(hammer, acme, number).await.is_some(),
                    "{number} is not served"
                );
                lookups.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let changing = async {
        let (mut changes, mut stale) = (0, Vec::new());
        for _ in 0..deploys() {
            let mut wanted = Vec::new();
            for phone in phones {
                wanted.push(rotated(world, acme, phone).await);
            }
            world.deploy(acme).await.expect(Live);
            for (phone, wanted) in phones.iter().zip(wanted) {
                changes += 1;
                if served(&looking, acme, phone.number()).await != Some(wanted) {
                    stale.push(phone.number());
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
        (changes, stale)
    };
    let hammering = futures_util::future::join_all(hammering);
    let ((changes, stale), _) = tokio::join!(changing, hammering);
    assert_eq!(changes, deploys() * EXTENSIONS);
    assert!(stale.is_empty(), "{} of {changes}: {stale:?}", stale.len());
    assert!(lookups.load(Ordering::SeqCst) > changes);
}
