//! Asking the running PBX for what it should serve, in portions: a large box is never in memory as a whole.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use super::engine::Engine;
use super::error::DeployError;
use super::expectation::Expectation;
use crate::domain::finding::Finding;
use crate::domain::sip_domain::SipDomain;
use crate::driver::{DriverError, Expected, PbxDriver};

/// Extensions that are asked for in one session: few enough to hold, enough that signing in costs little.
const PORTION: usize = 1_000;

/// Differences beyond these are not looked for: what runs is not what should.
const ENOUGH: usize = 1_000;

/// How long the answers to a portion may take in all, beside what an object adds: each takes some milliseconds.
const LEAST: Duration = Duration::from_secs(5);
const EACH: Duration = Duration::from_millis(100);

/// What was seen as it should be.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Seen {
    pub markers: usize,
    pub present: usize,
    /// How many of them were asked for one by one.
    pub asked: usize,
    pub absent: usize,
}

/// What the PBX answered.
#[derive(Default)]
pub(super) struct Answer {
    pub seen: Seen,
    pub differences: Vec<Finding>,
}

/// Asks for the markers, then for the objects of each tenant.
pub(super) async fn ask(
    engine: &Engine,
    driver: &dyn PbxDriver,
    expected: &Expectation,
) -> Result<Answer, DeployError> {
    let mut asking = Asking {
        driver,
        least: engine.options.patience.max(LEAST),
        portion: Expected {
            markers: expected.markers.clone(),
            ..Expected::default()
        },
        answer: Answer::default(),
    };
    asking.answer.seen.markers = expected.markers.values().flatten().count();
    let mut served = BTreeSet::new();
    let mut gone = Vec::new();
    for (tenant_id, tenant) in &expected.tenants {
        let mut objects = tenant.read(engine, *tenant_id).await?;
        served.extend(objects.present.iter().map(|present| present.domain.clone()));
        if !split_off_gone(&mut objects).cleared.is_empty() {
            gone.push((tenant_id, tenant));
        }
        if asking.add(objects).await? {
            return Ok(asking.answer);
        }
    }
    // What is served under the domain of one that is gone may be another's by now.
    for (tenant_id, tenant) in gone {
        let mut objects = split_off_gone(&mut tenant.read(engine, *tenant_id).await?);
        objects.absent.retain(|absent| !served.contains(&absent.domain));
        objects
            .cleared
            .retain(|cleared| !served.contains(&cleared.domain));
        if asking.add(objects).await? {
            return Ok(asking.answer);
        }
    }
    asking.put().await?;
    Ok(asking.answer)
}

/// What must be absent because its tenant serves nothing under the domain any more.
fn split_off_gone(objects: &mut Expected) -> Expected {
    let (cleared, stay) = std::mem::take(&mut objects.cleared)
        .into_iter()
        .partition(|cleared| cleared.whole);
    objects.cleared = stay;
    let mut gone = Expected {
        cleared,
        ..Expected::default()
    };
    let domains: BTreeSet<&SipDomain> = gone.cleared.iter().map(|cleared| &cleared.domain).collect();
    let (absent, stay) = std::mem::take(&mut objects.absent)
        .into_iter()
        .partition(|absent| domains.contains(&absent.domain));
    objects.absent = stay;
    gone.absent = absent;
    gone
}

/// A portion, and what came of those before.
struct Asking<'a> {
    driver: &'a dyn PbxDriver,
    least: Duration,
    portion: Expected,
    answer: Answer,
}

impl Asking<'_> {
    /// Adds objects, and asks once there are enough of them; whether enough differs.
    async fn add(&mut self, objects: Expected) -> Result<bool, DeployError> {
        self.portion.present.extend(objects.present);
        self.portion.absent.extend(objects.absent);
        self.portion.cleared.extend(objects.cleared);
        if size(&self.portion) >= PORTION {
            self.put().await?;
        }
        Ok(self.answer.differences.len() >= ENOUGH)
    }

    /// Asks for the portion. An answer may be late, but not all of them: then nobody would ever know.
    async fn put(&mut self) -> Result<(), DeployError> {
        let portion = std::mem::take(&mut self.portion);
        let count = size(&portion);
        let limit = self.least + EACH * u32::try_from(count).unwrap_or(u32::MAX);
        let answered = timeout(limit, self.driver.verify(&portion)).await;
        let differences = answered.map_err(|_| {
            let seconds = limit.as_secs();
            let late = format!("its answers about {count} objects did not come within {seconds} seconds");
            DriverError::unknown("asking the PBX what it serves", late)
        })??;
        self.answer.differences.extend(differences);
        self.answer.seen.present += present(&portion);
        self.answer.seen.asked += self.driver.asks_for(&portion);
        self.answer.seen.absent += portion.absent.len();
        Ok(())
    }
}

fn size(portion: &Expected) -> usize {
    present(portion) + portion.absent.len() + portion.cleared.len()
}

fn present(portion: &Expected) -> usize {
    let extensions = portion.present.iter().map(|tenant| tenant.extensions.len());
    extensions.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ExtensionId, TenantId};
    use crate::driver::{AbsentExtension, ClearedContext};
    use uuid::Uuid;

    #[test]
    fn only_what_is_gone_as_a_whole_waits_for_who_took_its_domain_over() {
        let tenant_id = TenantId::from_uuid(Uuid::nil());
        let absent = |domain: &str| AbsentExtension {
            tenant_id,
            id: ExtensionId::from_uuid(Uuid::nil()),
            domain: domain.parse().unwrap(),
            number: "1001".parse().unwrap(),
            is_removed: false,
        };
        let cleared = |domain: &str, whole| ClearedContext {
            tenant_id,
            domain: domain.parse().unwrap(),
            number_lengths: BTreeSet::new(),
            whole,
        };
        let mut objects = Expected {
            absent: vec![absent("stays.example.com"), absent("gone.example.com")],
            cleared: vec![
                cleared("gone.example.com", true),
                cleared("stays.example.com", false),
            ],
            ..Expected::default()
        };
        let gone = split_off_gone(&mut objects);
        assert_eq!(gone.absent, [absent("gone.example.com")]);
        assert_eq!(gone.cleared, [cleared("gone.example.com", true)]);
        assert_eq!(objects.absent, [absent("stays.example.com")]);
        assert_eq!(objects.cleared, [cleared("stays.example.com", false)]);
    }
}
