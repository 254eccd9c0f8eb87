//! A FusionPBX with two live tenants, a time in which nobody listened, and what FusionPBX wrote down of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use switchyard::domain::call_record::{CallFilter, CallGap, CallQuery, CallRecord};
use switchyard::domain::clock::Clock as _;
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::ids::{IdSource as _, InstanceId, SystemIds, TenantId};
use switchyard::domain::trusted_time::{Beat, TrustedTime};
use switchyard::driver::feed::{Archive, Asked};
use switchyard::driver::fusionpbx::CallArchive;
use switchyard::monitor::past_calls::PastCalls;
use switchyard::store::call_records::{self, Seen};
use switchyard::store::{Store, call_gaps, trusted_time};

use super::support::database::Backend;
use super::world::{Phone, TestTenant, World};

/// A row of `v_xml_cdr`, as SQL writes its values.
#[derive(Clone)]
pub struct Row {
    pub id: String,
    pub domain_uuid: String,
    pub domain: String,
    pub leg: String,
    pub originating: String,
    pub direction: String,
    pub number: String,
    pub name: String,
    pub destination: String,
    /// What was dialled, where that is something else.
    pub dialled: Option<String>,
    /// The extension that FusionPBX names.
    pub extension: String,
    pub sip_call_id: String,
    pub started: i64,
    pub answer: String,
    pub end: String,
}

impl Row {
    /// From 1001 to 1002 of a tenant, from one second to another.
    pub fn of(tenant: &TestTenant, from: Timestamp, seconds: i64) -> Self {
        let begin = from.as_second();
        Self {
            id: SystemIds.next().to_string(),
            domain_uuid: format!("'{}'", tenant.id),
            domain: format!("'{}'", tenant.domain),
            leg: "'a'".to_owned(),
            originating: "null".to_owned(),
            direction: "'local'".to_owned(),
            number: "'1001'".to_owned(),
            name: "'Ann'".to_owned(),
            destination: "'1002'".to_owned(),
            dialled: None,
            extension: "null".to_owned(),
            sip_call_id: "'1-1@192.0.2.1'".to_owned(),
            started: begin,
            answer: (begin + 1).to_string(),
            end: (begin + seconds).to_string(),
        }
    }

    /// That FusionPBX names the extension with this number, of whichever domain.
    pub fn naming(mut self, number: &str, domain: &str) -> Self {
        self.extension = format!(
            "(select extension_uuid from v_extensions join v_domains using (domain_uuid) \
             where extension = '{number}' and domain_name = '{domain}')"
        );
        self
    }

    fn values(&self) -> String {
        format!(
            "('{}', {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, to_timestamp({}), {}, {}, 'NORMAL_CLEARING')",
            self.id,
            self.domain_uuid,
            self.domain,
            self.leg,
            self.originating,
            self.direction,
            self.number,
            self.name,
            self.dialled.as_ref().unwrap_or(&self.destination),
            self.destination,
            self.extension,
            self.sip_call_id,
            self.started,
            self.answer,
            self.end
        )
    }
}

/// What FusionPBX's import does.
pub async fn import(world: &World, rows: &[Row]) {
    let values: Vec<String> = rows.iter().map(Row::values).collect();
    let sql = format!(
        "insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, domain_name, leg, originating_leg_uuid, direction, \
         caller_id_number, caller_id_name, caller_destination, destination_number, extension_uuid, sip_call_id, start_stamp, answer_epoch, \
         end_epoch, hangup_cause) values {}",
        values.join(", ")
    );
    world.fusionpbx.run(&sql).await;
}

/// The archive as the daemon has it.
pub fn archive(world: &World) -> Box<dyn Archive> {
    Box::new(CallArchive::new(&world.settings, &world.secrets))
}

pub async fn gaps_of(store: &Store, tenant: TenantId) -> Vec<CallGap> {
    let mut tx = store.read("gaps").await.unwrap();
    call_gaps::of_tenant(&mut tx, tenant, &CallFilter::default(), 99)
        .await
        .unwrap()
}

/// The calls of a tenant, newest first.
pub async fn calls_of(store: &Store, tenant: TenantId) -> Vec<CallRecord> {
    let mut tx = store.read("calls").await.unwrap();
    let query = CallQuery {
        per_page: 5_000,
        ..CallQuery::default()
    };
    let page = call_records::list(&mut tx, tenant, Seen::All, &query).await;
    page.unwrap().calls
}

/// Both tenants have been live for an hour. Nobody listened for the twenty minutes that begin half an hour after that, and
/// they are over just now.
pub struct Missed {
    pub world: World,
    pub acme: TestTenant,
    /// Of the first one's 1001 and 1002.
    pub phones: [Phone; 2],
    pub globex: TestTenant,
    pub gap: CallGap,
}

impl Missed {
    /// That it is so late is believed.
    pub async fn believe(&self, now: Timestamp) {
        let beat = Beat {
            number: 1,
            time: TrustedTime::first(now),
        };
        let mut tx = self.world.store.begin("beat").await.unwrap();
        trusted_time::put(&mut tx, &beat).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn new() -> Self {
        Self::on(Backend::Sqlite).await
    }

    pub async fn on(backend: Backend) -> Self {
        let world = World::on(backend).await;
        let (acme, phones, globex, _) = world.acme_and_globex().await;
        world.deploy_platform().await.expect(Live);
        let from = world.clock.now() + SignedDuration::from_mins(30);
        world.clock.forward(Duration::from_mins(50));
        let missed = Self {
            gap: gap(world.instance_id, from, world.clock.now()),
            world,
            acme,
            phones,
            globex,
        };
        missed.note(missed.gap).await;
        missed
    }

    async fn note(&self, gap: CallGap) {
        let mut tx = self.world.store.begin("gap").await.unwrap();
        call_gaps::insert(&mut tx, gap).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Nobody has listened since then.
    pub async fn note_from(&self, from: Timestamp) {
        let gap = gap(self.world.instance_id, from, self.world.clock.now());
        self.note(gap).await;
    }

    /// So many minutes after the gap's begin.
    pub fn at(&self, minutes: i64) -> Timestamp {
        self.gap.from + SignedDuration::from_mins(minutes)
    }

    /// What looks for missed calls, as a daemon that has just started has it.
    pub fn looker(&self) -> PastCalls {
        self.looker_at(archive(&self.world))
    }

    pub fn looker_at(&self, archive: Box<dyn Archive>) -> PastCalls {
        self.looker_over(self.world.store.clone(), archive)
    }

    /// The same of another process, on the same database.
    pub fn looker_over(&self, store: Store, archive: Box<dyn Archive>) -> PastCalls {
        PastCalls::new(
            store,
            Arc::new(self.world.clock.clone()),
            Arc::new(SystemIds),
            self.world.instance_id,
            Arc::from(archive),
        )
    }

    /// Calls before and after the gap.
    pub async fn import_around(&self) {
        let rows = [self.at(-10), self.at(21)].map(|at| Row::of(&self.acme, at, 5));
        import(&self.world, &rows).await;
    }

    /// Every look that there is until then.
    pub async fn look_for(&self, looker: &mut PastCalls, minutes: u32) {
        for _ in 0..minutes {
            looker.turn().await.unwrap();
            self.world.clock.forward(Duration::from_mins(1));
        }
    }

    /// What is asked of the archive.
    pub fn asked(&self) -> Asked {
        Asked {
            tenants: vec![self.acme.id, self.globex.id],
            from: self.gap.from,
            to: self.gap.to,
        }
    }

    pub async fn calls(&self, tenant: &TestTenant) -> Vec<CallRecord> {
        calls_of(&self.world.store, tenant.id).await
    }

    pub async fn gaps(&self) -> Vec<CallGap> {
        gaps_of(&self.world.store, self.acme.id).await
    }
}

fn gap(instance_id: InstanceId, from: Timestamp, to: Timestamp) -> CallGap {
    CallGap {
        instance_id,
        from,
        to,
    }
}
