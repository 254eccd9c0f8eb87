//! The reconciler of messages in mail boxes: takes no input, and brings what is known of them in line with each PBX of this host.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::deploy_worker::own_instances;
use crate::app::{App, voicemail};
use crate::domain::error_chain::error_chain;
use crate::domain::instance::NodeName;
use crate::monitor::voicemail::Looked;
use crate::store::Store;

/// They are kept for days: what is known of them may be some minutes old.
pub const PERIOD: Duration = Duration::from_mins(10);

/// Looks, at once and then each time that the period has passed, until the soft stop.
///
/// One PBX after the other: a host drives few, and of one that hangs the others' messages are known some minutes later.
pub async fn find(
    app: App,
    store: Store,
    node: NodeName,
    period: Duration,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    // How many messages of each are nobody's, as the log tells by now.
    let mut nobodys = BTreeMap::new();
    loop {
        match own_instances(&store, &node).await {
            Ok(own) => {
                for id in own {
                    let looked = tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        looked = voicemail::look(&app, id, None) => looked,
                    };
                    if let Ok(found) = &looked
                        && nobodys.insert(id, found.nobodys).unwrap_or_default() != found.nobodys
                    {
                        let messages = found.nobodys;
                        tracing::warn!(
                            instance = %id, messages,
                            "messages in mail boxes are from before anybody of this service had their domain: they are not \
                             looked after, and have to be removed by hand"
                        );
                    }
                    match looked {
                        Ok(found) if found == Looked::default() => {}
                        Ok(found) => {
                            tracing::debug!(instance = %id, found.kept, found.lost, "mail boxes were looked at");
                        }
                        Err(error) => {
                            let error = error_chain(&error);
                            tracing::warn!(instance = %id, error, "mail boxes could not be looked at");
                        }
                    }
                }
            }
            Err(error) => {
                tracing::error!(error = error_chain(&error), "the instances could not be read");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
    }
}
