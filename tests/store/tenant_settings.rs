//! What a tenant sets for itself: read back as it was written, and of no other tenant.

use rstest::rstest;
use switchyard::domain::limits::SessionTimeout;
use switchyard::domain::recording_notice::{NoticeFor, RecordingNotice};
use switchyard::domain::tenant::{RecordingPolicy, TenantSettings};
use switchyard::store::{tenant_settings, tenants};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::users::{now, two_tenants};

#[rstest]
#[tokio::test]
async fn c12_settings_are_one_tenants_and_leave_the_rest_of_it_alone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("settings").await.unwrap();
    let before = tenants::find(&mut tx, acme).await.unwrap().unwrap();
    let other = tenants::find(&mut tx, beta).await.unwrap().unwrap();
    let of = |name: &str, zone: &str, recording, (hearers, sound): (NoticeFor, Option<&str>), minutes| {
        TenantSettings {
            recording,
            notice: RecordingNotice {
                hearers,
                sound: sound.map(|sound| sound.parse().unwrap()),
            },
            name: name.parse().unwrap(),
            timezone: zone.parse().unwrap(),
            session_timeout_minutes: SessionTimeout::new(minutes).unwrap(),
        }
    };
    let was = of(
        before.name.as_str(),
        "UTC",
        RecordingPolicy::ByExtension,
        (NoticeFor::Nobody, None),
        60,
    );
    let becomes = of(
        "Ünited",
        "Europe/Berlin",
        RecordingPolicy::Never,
        (NoticeFor::All, Some("custom/recorded")),
        5,
    );
    assert!(
        tenant_settings::update(&mut tx, acme, &was, &becomes, now())
            .await
            .unwrap()
    );
    let after = tenants::find(&mut tx, acme).await.unwrap().unwrap();
    assert_eq!(
        (
            &after.name,
            &after.timezone,
            after.recording,
            &after.notice,
            after.updated_at
        ),
        (
            &becomes.name,
            &becomes.timezone,
            becomes.recording,
            &becomes.notice,
            now()
        )
    );
    assert_eq!(
        (&after.domain, after.status, after.secrets_version),
        (&before.domain, before.status, before.secrets_version)
    );
    let limits = tenants::limits(&mut tx, acme).await.unwrap().unwrap();
    assert_eq!(limits.session_timeout_minutes.minutes(), 5);
    assert_eq!(tenants::find(&mut tx, beta).await.unwrap(), Some(other));
    let limits = tenants::limits(&mut tx, beta).await.unwrap().unwrap();
    assert_eq!(limits.session_timeout_minutes.minutes(), 60);
}
