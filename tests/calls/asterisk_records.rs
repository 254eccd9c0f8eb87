//! What is on record of calls that a listener heard end, while the link to a real Asterisk is cut again and again.

use std::time::Duration;

use switchyard::domain::call_record::{CallFilter, CallQuery, CallRecord};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::store::call_gaps;
use switchyard::store::call_records::{self, Seen};

use super::proxy::Way;
use super::rig::{ACME, GLOBEX, Rig, call, hang_up};
use super::support::world::Tenant;

impl Rig {
    async fn records(&self, tenant: &Tenant) -> Vec<CallRecord> {
        let mut tx = self.world.store.read("records").await.unwrap();
        let mut query = CallQuery {
            per_page: 100,
            ..CallQuery::default()
        };
        let mut found = Vec::new();
        loop {
            let page = call_records::list(&mut tx, tenant.id, Seen::All, &query)
                .await
                .unwrap();
            found.extend(page.calls);
            query.after = page.next;
            if query.after.is_none() {
                return found;
            }
        }
    }

    async fn counts_of_records(&self) -> [usize; 2] {
        [
            self.records(&self.acme).await.len(),
            self.records(&self.globex).await.len(),
        ]
    }

    /// Waits until so many calls of each tenant are on record.
    async fn recorded(&self, expected: [usize; 2]) {
        for _ in 0..1_000 {
            if self.counts_of_records().await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.counts_of_records().await, expected);
    }
}

#[tokio::test]
async fn asterisk_a11_each_call_that_ends_while_the_link_stands_is_on_record_once_through_many_cuts() {
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 40).await;
    call(&mut ami, GLOBEX, 20).await;
    rig.agrees(&mut ami, "all calls are up").await;
    let mut expected = [0, 0];
    for cut in 0..8 {
        rig.proxy.set(Way::Cut);
        rig.until_stale().await;
        rig.proxy.set(Way::Open);
        rig.agrees(&mut ami, &format!("after cut {cut}")).await;
        // Calls that were up across the cut, or several.
        hang_up(&mut ami, ACME, 3).await;
        hang_up(&mut ami, GLOBEX, 2).await;
        expected = [expected[0] + 3, expected[1] + 2];
        rig.recorded(expected).await;
    }
    for domain in [ACME, GLOBEX] {
        hang_up(&mut ami, domain, 1000).await;
    }
    rig.recorded([40, 20]).await;
    for (tenant, domain) in [(&rig.acme, ACME), (&rig.globex, GLOBEX)] {
        let mut calls: Vec<String> = rig
            .records(tenant)
            .await
            .iter()
            .map(|call| call.call.to_string())
            .collect();
        calls.sort();
        calls.dedup();
        assert_eq!(calls.len(), if domain == ACME { 40 } else { 20 });
    }
    let mut tx = rig.world.store.read("gaps").await.unwrap();
    let gaps = call_gaps::of_tenant(&mut tx, rig.acme.id, &CallFilter::default(), 100)
        .await
        .unwrap();
    assert!(!gaps.is_empty(), "each cut may have hidden the end of a call");
}

#[tokio::test]
async fn asterisk_a11_what_ends_while_the_link_is_cut_is_told_as_missed() {
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 4).await;
    rig.agrees(&mut ami, "all calls are up").await;
    rig.proxy.set(Way::Cut);
    rig.until_stale().await;
    let before = SystemClock.now();
    hang_up(&mut ami, ACME, 1).await;
    let after = SystemClock.now();
    rig.proxy.set(Way::Open);
    rig.agrees(&mut ami, "after the cut").await;
    hang_up(&mut ami, ACME, 1000).await;
    rig.recorded([3, 0]).await;
    let mut tx = rig.world.store.read("gaps").await.unwrap();
    // Whose the missed call was is not known.
    for tenant in [&rig.acme, &rig.globex] {
        let gaps = call_gaps::of_tenant(&mut tx, tenant.id, &CallFilter::default(), 9)
            .await
            .unwrap();
        let covers = gaps.iter().any(|gap| gap.from <= before && after <= gap.to);
        assert!(covers, "{before} to {after}: {gaps:?}");
    }
}
