//! An office whose calls are kept on record, over a link that can be cut.

use std::sync::Arc;

use switchyard::domain::call_part::EndedPart;
use switchyard::domain::call_record::{CallQuery, CallRecord};
use switchyard::domain::clock::SystemClock;
use switchyard::domain::extension::Extension;
use switchyard::domain::ids::{InstanceId, SystemIds};
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::tenant::{Tenant, TenantStatus};
use switchyard::driver::asterisk::{ManagerFeed, Transport};
use switchyard::driver::feed::{Feed as _, News};
use switchyard::monitor::records::Keeper;
use switchyard::store::call_records::{self, Seen};
use switchyard::store::{Store, extensions, instances, tenants};
use tokio::time::{Duration, Instant, timeout_at};

use super::office::Office;
use super::support::cut::Cut;
use super::support::database::{Backend, Bench};
use super::support::tenants::TestTenant;

/// An office whose calls are kept on record.
pub struct Recorded {
    pub office: Office,
    pub store: Store,
    _database: Bench,
    pub instance: PbxInstance,
    tenants: Vec<TestTenant>,
    pub link: Cut,
    feed: ManagerFeed,
    pub keeper: Keeper,
    pub parts: Vec<EndedPart>,
}

impl Recorded {
    pub async fn open(tenants: &[TestTenant]) -> Self {
        let office = Office::open(tenants).await;
        let (database, store) = Bench::migrated(Backend::Sqlite).await;
        let link = Cut::before(office.bench.pbx.private.settings().ami_port);
        let mut settings = office.bench.pbx.private.settings().clone();
        settings.ami_port = link.port;
        let instance = stored(&store, settings.clone(), tenants).await;
        let feed = ManagerFeed::open(
            &settings,
            office.bench.pbx.private.secret(),
            &Transport::default(),
            || 0,
        );
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let keeper = Keeper::new(store.clone(), clock, ids, instance.id);
        let mut recorded = Self {
            office,
            store,
            _database: database,
            instance,
            tenants: tenants.to_vec(),
            link,
            feed,
            keeper,
            parts: Vec::new(),
        };
        recorded.hear_until(|news| *news == News::LinkUp).await;
        recorded
    }

    /// Listens until some news have come, and has what was heard written.
    pub async fn hear_until(&mut self, mut is_last: impl FnMut(&News) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let news = timeout_at(deadline, self.feed.next()).await;
            let news = news.expect("what was waited for did not come").unwrap();
            if let News::Record(part) = &news {
                self.parts.push(part.as_ref().clone());
            }
            match news {
                News::LinkUp => self.keeper.hear_up(self.feed.poll()),
                _ => self.keeper.hear(&news),
            }
            if is_last(&news) {
                return self.keeper.write().await.unwrap();
            }
        }
    }

    /// Until so many parts were told in all.
    pub async fn hear_parts(&mut self, count: usize) {
        let mut missing = count - self.parts.len();
        if missing > 0 {
            self.hear_until(|news| {
                missing -= usize::from(matches!(news, News::Record(_)));
                missing == 0
            })
            .await;
        }
    }

    pub async fn calls(&self, domain: &str) -> Vec<CallRecord> {
        let tenant = self.tenant(domain).id;
        let mut tx = self.store.read("calls").await.unwrap();
        let page = call_records::list(&mut tx, tenant, Seen::All, &CallQuery::default()).await;
        let mut calls = page.unwrap().calls;
        calls.reverse();
        calls
    }

    pub fn tenant(&self, domain: &str) -> &TestTenant {
        let mut tenants = self.tenants.iter();
        tenants
            .find(|tenant| tenant.config.domain.as_str() == domain)
            .unwrap()
    }

    /// The numbers of the extensions that took part.
    pub fn took_part(&self, domain: &str, call: &CallRecord) -> Vec<String> {
        let extensions = &self.tenant(domain).config.extensions;
        let took_part = extensions
            .iter()
            .filter(|one| call.extension_ids.contains(&one.id));
        took_part.map(|extension| extension.number.to_string()).collect()
    }

    pub fn channel(&self, begin: &str) -> String {
        let mut ami = self.office.bench.pbx.ami();
        let channels = ami.console("core show channels concise");
        let mut names = channels.iter().filter_map(|line| line.split('!').next());
        names.find(|name| name.starts_with(begin)).unwrap().to_owned()
    }
}

async fn stored(store: &Store, settings: AsteriskSettings, tests: &[TestTenant]) -> PbxInstance {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let instance = PbxInstance {
        id: InstanceId::fresh(&SystemIds),
        name: "main".parse().unwrap(),
        node: "here".parse().unwrap(),
        settings: InstanceSettings::Asterisk(settings),
        settings_revision: 1,
        live: None,
        applying: None,
        created_at: now,
    };
    let mut tx = store.begin("office").await.unwrap();
    let secrets = InstanceSecrets::of_control("unused-in-this-test".into());
    instances::insert(&mut tx, &instance, &secrets).await.unwrap();
    for (index, test) in tests.iter().enumerate() {
        let tenant = Tenant {
            id: test.id,
            name: format!("Tenant {index}").parse().unwrap(),
            domain: test.config.domain.clone(),
            status: TenantStatus::Active,
            instance_id: instance.id,
            timezone: test.config.timezone.clone(),
            recording: test.config.recording,
            notice: test.config.notice.clone(),
            secrets_version: 1,
            created_at: now,
            updated_at: now,
        };
        tenants::insert(&mut tx, &tenant).await.unwrap();
        for config in &test.config.extensions {
            let extension = Extension {
                id: config.id,
                tenant_id: test.id,
                number: config.number.clone(),
                settings: config.settings.clone(),
                secret_known: true,
                version: 1,
                created_at: now,
                updated_at: now,
            };
            extensions::insert(&mut tx, &extension, &test.secrets[&config.id])
                .await
                .unwrap();
        }
    }
    tx.commit().await.unwrap();
    instance
}
