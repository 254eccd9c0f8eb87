//! Which generations are kept to go back to, and what is left of attempts that never ran.

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::{App, deployments};
use switchyard::deploy::ShadowPolicy::{Always, Never};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Rejected, RolledBack};

use super::down::until_up;
use super::drivers::Drivers;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::pbx::Restarted;
use super::support::pbx::{kill, pid};
use super::world::{Ended, Phone, TestTenant, World, ended, operator};

/// How many generations are kept.
const KEPT: u32 = 3;

async fn kept(world: &World) -> Vec<String> {
    let numbers = "select cast(number as text) from generations order by generations.number";
    world.database.ask(numbers.to_owned()).await
}

async fn edited(world: &World, (acme, ann): &(TestTenant, Phone), app: &App, edit: u32) -> Ended {
    let name = format!("Ann {edit}");
    world.patch(acme, ann, json!({"name": name})).await;
    world.deploy_with(app, acme).await
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_attempts_that_never_ran_take_no_generation_away_and_leave_no_row(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [acme, _] = world.acme_and_globex().await;
    let keeping = |shadow| {
        let drivers = Drivers::plain(&world.pbx);
        let change = |options: &mut switchyard::deploy::EngineOptions| {
            options.keep_generations = KEPT;
            options.shadow = shadow;
        };
        world.with_options(drivers, change).0
    };
    let (app, shadowed) = (keeping(Never), keeping(Always));
    for edit in 1..=4 {
        edited(&world, &acme, &app, edit).await.expect(Live);
    }
    assert_eq!(kept(&world).await, ["2", "3", "4"]);

    // Not reached, again and again.
    kill(pid(&world.pbx.home()));
    for edit in 5..=16 {
        let failed = edited(&world, &acme, &app, edit).await.expect(Failed).deployment;
        assert_eq!(
            failed.generation,
            Some(i64::from(edit)),
            "its record has the number"
        );
        assert_eq!(kept(&world).await, ["2", "3", "4"], "{edit}");
    }
    let _again = Restarted::start(&world.pbx);
    until_up(&world).await;
    // Refused by the shadow, and not proven.
    world.override_template("asterisk/pjsip.conf", |_| "[broken\n".to_owned());
    world.deploy_platform_with(&shadowed).await.expect(Rejected);
    world.override_template("asterisk/pjsip.conf", |text| {
        text.replacen("context={{ tenant.domain }}", "context=other", 1)
    });
    world.deploy_platform_with(&app).await.expect(RolledBack);
    assert_eq!(kept(&world).await, ["2", "3", "4"]);

    world.remove_override("asterisk/pjsip.conf");
    let next = edited(&world, &acme, &app, 19).await.expect(Live).deployment;
    assert_eq!(next.generation, Some(19), "no number is given twice");
    assert_eq!(kept(&world).await, ["3", "4", "19"]);
    let back = async |number| {
        let operator = operator();
        deployments::roll_back_instance(&app, &operator, world.instance_id, number).await
    };
    for gone in [2, 5, 17, 18] {
        let error = back(gone).await.unwrap_err();
        assert!(
            matches!(
                error,
                AppError::Conflict {
                    code: "never_live",
                    ..
                }
            ),
            "{gone}: {error}"
        );
    }
    let oldest = back(3).await.unwrap();
    ended(&app, &oldest).await.expect(Live);
    assert!(world.is_verified(&acme.0).await);
}
