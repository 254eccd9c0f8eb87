//! The reconciler of templates: reads the operator's own whenever they were edited, and holds the last set that is good.

mod fingerprint;
#[cfg(test)]
mod tests;
mod wake;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

pub use self::fingerprint::Fingerprint;
use self::wake::Wake;
use super::templates;
use crate::deploy::{DeployError, Engine, TemplateSource};
use crate::domain::error_chain::error_chain;
use crate::domain::instance::NodeName;
use crate::render::pbx;
use crate::render::template_set::TemplateSet;
use crate::store::{Store, generations, instances};

/// How long nothing may change before an edit counts as finished: an editor writes in several steps, a person or a
/// program several files.
const QUIET: Duration = Duration::from_millis(300);
/// Between two looks, at least.
const PAUSE: Duration = Duration::from_millis(50);
/// Something that never comes to rest is read all the same.
const LONGEST: u32 = 20;

/// Reads the templates for the first time, and gives what they were read from.
///
/// Where they cannot be used, the set of the newest generation that is live on this host is the last good one; where
/// there is none, platform deploys are rejected until they are corrected.
pub async fn begin(store: &Store, engine: &Engine, node: &NodeName) -> Option<Fingerprint> {
    let source = engine.templates();
    let directory = source.overrides()?;
    let seen = look(directory).await;
    let Some(problems) = refresh(source).await else {
        return Some(seen);
    };
    let former = match former(store, source, node).await {
        Ok(former) => former,
        Err(error) => {
            tracing::error!(
                error = error_chain(&error),
                "the templates of what is live could not be read"
            );
            None
        }
    };
    let instead = match former {
        Some(_) => "platform deploys use those of the newest generation that is live here",
        None => "platform deploys are rejected until they are good",
    };
    tracing::error!(directory = %directory.display(), "the templates cannot be used; {instead}");
    if let Some(set) = former {
        source.hold(set);
    }
    source.refuse(problems);
    Some(seen)
}

/// Watches the directory until the soft stop; `seen` is what was read of it before.
pub async fn run(
    engine: Arc<Engine>,
    seen: Option<Fingerprint>,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let source = engine.templates();
    match source.overrides() {
        Some(directory) => watch(source, directory, Wake::new(directory), seen, &stop).await,
        None => stop.cancelled().await,
    }
    Ok(())
}

async fn watch(
    source: &TemplateSource,
    directory: &Path,
    mut wake: Wake,
    mut seen: Option<Fingerprint>,
    stop: &CancellationToken,
) {
    loop {
        let found = look(directory).await;
        if seen.as_ref() != Some(&found) {
            let Some(settled) = settled(directory, found, stop).await else {
                return;
            };
            if let Some(problems) = refresh(source).await {
                source.refuse(problems);
            }
            seen = Some(settled);
            // Another directory may stand under the name now.
            wake.renew();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = wake.woken() => {}
        }
        // Whatever else happens beside the directory wakes too.
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until nothing changes any more; `None` at the soft stop.
async fn settled(directory: &Path, mut found: Fingerprint, stop: &CancellationToken) -> Option<Fingerprint> {
    for _ in 0..LONGEST {
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(QUIET) => {}
        }
        let now = look(directory).await;
        if now == found {
            break;
        }
        found = now;
    }
    Some(found)
}

async fn look(directory: &Path) -> Fingerprint {
    let directory = directory.to_owned();
    // A task that panicked found nothing; the next look will.
    spawn_blocking(move || Fingerprint::of(&directory))
        .await
        .unwrap_or_default()
}

/// Reads the directory as it stands and holds it, or gives what is wrong with it, which is logged.
async fn refresh(source: &TemplateSource) -> Option<Vec<String>> {
    let directory = source.overrides().map(Path::to_owned);
    let read = match spawn_blocking(move || templates::read(directory.as_deref())).await {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(%error, "reading the templates ended early");
            return Some(vec!["they could not be read".to_owned()]);
        }
    };
    match read {
        Ok(set) => {
            let digest = set.digest().short();
            if source.hold(set) {
                tracing::info!(%digest, "templates read; the next platform deploy moves to them");
            }
            None
        }
        Err(error) => {
            let problems = error.told();
            for problem in &problems {
                tracing::error!("templates refused, those before stay in use: {problem}");
            }
            Some(problems)
        }
    }
}

/// The set of the newest generation that is live on this host, where this program can still use it.
async fn former(
    store: &Store,
    source: &TemplateSource,
    node: &NodeName,
) -> Result<Option<TemplateSet>, DeployError> {
    let mut tx = store.read("live_templates").await?;
    let mut newest = None;
    for instance in instances::list(&mut tx).await? {
        let Some(id) = instance.live.filter(|_| instance.node == *node) else {
            continue;
        };
        let live = generations::find(&mut tx, instance.id, id).await?;
        newest = newest.max(live.map(|live| (live.created_at, live.template_digest)));
    }
    let Some((_, digest)) = newest else {
        return Ok(None);
    };
    let set = source.kept(&mut tx, digest).await?;
    Ok(spawn_blocking(move || pbx::check(&set).is_empty().then_some(set)).await?)
}
