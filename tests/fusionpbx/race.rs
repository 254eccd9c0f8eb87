//! Lookups that are under way while rows change: none is left with what was there before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::Live;

use super::freeswitch::Race;
use super::fusionpbx::Booleans::Native;
use super::world::World;

const EXTENSIONS: usize = 10;
const DEPLOYS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_changes_under_lookups_none_is_stale() {
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    let mut phones = Vec::new();
    for number in 0..EXTENSIONS {
        phones.push(world.extension(&acme, &format!("10{number:02}"), "Before").await);
    }
    world.deploy(&acme).await.expect(Live);
    world.freeswitch.cache().set_race(Race {
        pause: Duration::from_millis(5),
        ..Race::default()
    });
    let (stop, lookups) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let world = &world;
    let hammer = |offset: usize| {
        let (stop, lookups, acme) = (Arc::clone(&stop), Arc::clone(&lookups), &acme);
        async move {
            let mut at = offset;
            while !stop.load(Ordering::SeqCst) {
                at = (at + 1) % EXTENSIONS;
                world.name_of(acme, &format!("10{at:02}")).await.unwrap();
                lookups.fetch_add(1, Ordering::SeqCst);
                // What is in the cache is there without waiting, and the others are to have their turn.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let changing = async {
        let mut stale = Vec::new();
        for deploy in 0..DEPLOYS {
            let name = format!("Name {deploy}");
            for phone in &phones {
                world.patch(&acme, phone, json!({ "name": name })).await;
            }
            world.deploy(&acme).await.expect(Live);
            for phone in &phones {
                let served = world.name_of(&acme, phone.number()).await;
                if served.as_deref() != Some(&name) {
                    stale.push((phone.number(), served));
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
        stale
    };
    let (stale, ..) = tokio::join!(changing, hammer(0), hammer(3), hammer(5), hammer(7));
    assert!(stale.is_empty(), "{stale:?}");
    assert!(lookups.load(Ordering::SeqCst) > EXTENSIONS * DEPLOYS);
}
