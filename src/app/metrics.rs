//! The platform's live figures, for whoever collects them.

use super::App;
use super::error::AppError;
use crate::domain::call::Freshness;
use crate::domain::ids::TenantId;
use crate::domain::name::InstanceName;
use crate::store::instances;

/// The calls of one PBX.
pub struct InstanceCalls {
    /// As the operator calls it.
    pub instance: InstanceName,
    /// All of them.
    pub total: usize,
    /// Those of each tenant that has any.
    pub by_tenant: Vec<(TenantId, usize)>,
    /// How well that is known.
    pub freshness: Freshness,
    /// How many legs polls have put right.
    pub corrected: u64,
}

/// The calls of every PBX that this host listens to. Whoever asks was let in already.
pub async fn calls(app: &App) -> Result<Vec<InstanceCalls>, AppError> {
    let mut tx = app.store.read("metrics").await?;
    let instances = instances::list(&mut tx).await?;
    let figures = app.board.figures(app.now()).into_iter();
    let named = figures.filter_map(|figures| {
        let instance = instances
            .iter()
            .find(|instance| instance.id == figures.instance_id)?;
        Some(InstanceCalls {
            instance: instance.name.clone(),
            total: figures.total,
            by_tenant: figures.by_tenant.into_iter().collect(),
            freshness: figures.freshness,
            corrected: figures.corrected,
        })
    });
    Ok(named.collect())
}
