//! A tenant's status decides about its callers, and is read anew for each of them.

use jiff::Timestamp;
use switchyard::auth::tenants::Tenants as _;
use switchyard::crypto::SealingKey;
use switchyard::domain::ids::InstanceId;
use switchyard::domain::ids::TenantId;
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings, PbxInstance};
use switchyard::domain::tenant::Tenant;
use switchyard::domain::tenant::TenantStatus;
use switchyard::domain::timezone::Timezone;
use switchyard::store::{Database, DatabaseUrl, instances};
use switchyard::store::{Store, tenants};
use uuid::Uuid;

const INSTANCE: InstanceId = InstanceId::from_uuid(Uuid::from_u128(1));
const ACME: TenantId = TenantId::from_uuid(Uuid::from_u128(2));

fn instance() -> PbxInstance {
    let settings = AsteriskSettings {
        ami_host: "127.0.0.1".parse().unwrap(),
        ami_port: 5038,
        ami_username: "switchyard".parse().unwrap(),
        config_dir: "/etc/asterisk/switchyard".parse().unwrap(),
        ami_tls: None,
        log_file: None,
        emergency_numbers: vec![],
    };
    PbxInstance {
        id: INSTANCE,
        name: "pbx1".parse().unwrap(),
        node: "node1".parse().unwrap(),
        settings: InstanceSettings::Asterisk(settings),
        settings_revision: 1,
        live: None,
        applying: None,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn tenant() -> Tenant {
    Tenant {
        id: ACME,
        name: "Acme".parse().unwrap(),
        domain: "acme.example.com".parse().unwrap(),
        status: TenantStatus::Active,
        instance_id: INSTANCE,
        timezone: Timezone::utc(),
        secrets_version: 0,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

#[tokio::test]
async fn o29_a_status_holds_from_the_next_request_on() {
    let directory = tempfile::TempDir::new().unwrap();
    let database = Database::create(&DatabaseUrl::sqlite(directory.path().join("x.db")))
        .await
        .unwrap();
    database.migrate().await.unwrap();
    let key = SealingKey::parse(&SealingKey::generate().unwrap()).unwrap();
    let store = Store::from_database(database, Some(key)).await.unwrap();

    let mut tx = store.begin("prepare").await.unwrap();
    instances::insert(&mut tx, &instance(), &"secret".into())
        .await
        .unwrap();
    tenants::insert(&mut tx, &tenant()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.status(ACME).await.unwrap(), Some(TenantStatus::Active));
    assert_eq!(
        store.status(TenantId::from_uuid(Uuid::nil())).await.unwrap(),
        None
    );

    let mut tx = store.begin("suspend").await.unwrap();
    tenants::set_status(&mut tx, ACME, TenantStatus::Suspended, Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.status(ACME).await.unwrap(), Some(TenantStatus::Suspended));
    store.close().await;
}
