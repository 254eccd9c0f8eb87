//! Asking the running PBX for what it should serve, in portions: a large box is never in memory as a whole.

use super::engine::Engine;
use super::error::DeployError;
use super::expectation::Expectation;
use crate::domain::finding::Finding;
use crate::driver::{Expected, PbxDriver};

/// Extensions that are asked for in one session: few enough to hold, enough that signing in costs little.
const PORTION: usize = 1_000;

/// Differences beyond these are not looked for: what runs is not what should.
const ENOUGH: usize = 1_000;

/// What was seen as it should be.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Seen {
    pub markers: usize,
    pub present: usize,
    pub absent: usize,
}

/// What the PBX answered.
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
    let mut portion = Expected {
        markers: expected.markers.clone(),
        ..Expected::default()
    };
    let mut answer = Answer {
        seen: Seen {
            markers: expected.markers.values().flatten().count(),
            ..Seen::default()
        },
        differences: Vec::new(),
    };
    for (tenant_id, tenant) in &expected.tenants {
        let Expected { present, absent, .. } = tenant.read(engine, *tenant_id).await?;
        portion.present.extend(present);
        portion.absent.extend(absent);
        if size(&portion) >= PORTION {
            answer.add(driver, std::mem::take(&mut portion)).await?;
            if answer.differences.len() >= ENOUGH {
                return Ok(answer);
            }
        }
    }
    answer.add(driver, portion).await?;
    Ok(answer)
}

impl Answer {
    async fn add(&mut self, driver: &dyn PbxDriver, portion: Expected) -> Result<(), DeployError> {
        self.differences.extend(driver.verify(&portion).await?);
        self.seen.present += present(&portion);
        self.seen.absent += portion.absent.len();
        Ok(())
    }
}

fn size(portion: &Expected) -> usize {
    present(portion) + portion.absent.len()
}

fn present(portion: &Expected) -> usize {
    let extensions = portion.present.iter().map(|tenant| tenant.extensions.len());
    extensions.sum()
}
