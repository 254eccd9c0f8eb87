//! What happens in a tenant, as it happens and as far as the caller may see it: calls, phones, deployments.

mod seen;

use std::collections::VecDeque;
use std::sync::Arc;

use self::seen::Picture;
pub use self::seen::Seen;
use super::App;
use super::calls::{self, ActiveCalls, View};
use super::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::call::{Call, Freshness};
use crate::domain::deployment::{Deployment, StageRecord};
use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{ExtensionId, InstanceId, TenantId};
use crate::domain::permission::Permission;
use crate::monitor::stream::{Happening, Heard, Reader};

/// What is told.
pub enum Told {
    /// All calls that are up, and how well that is known.
    Calls(ActiveCalls),
    /// A call began, or can be seen from now on.
    Began(Arc<Call>),
    /// A call stands otherwise.
    Changed(Arc<Call>),
    /// A call ended, or can be seen no more.
    Ended(Arc<Call>),
    /// Phones of an extension signed in or out.
    Phones {
        /// Whose.
        extension_id: Option<ExtensionId>,
        /// Its number.
        number: ExtensionNumber,
        /// How many can be reached now.
        contacts: usize,
    },
    /// How well the calls are known from now on.
    Known(Freshness),
    /// A deployment got further.
    Deployment(Box<(Deployment, Vec<StageRecord>)>),
    /// So much was missed; none where it is not known how much. All calls follow.
    Missed(Option<u64>),
}

/// Somebody who follows a tenant.
pub struct Following {
    view: View,
    sees_deployments: bool,
    reader: Reader,
    told_freshness: Freshness,
    /// Whether what happened while they were away is still to be told.
    catches_up: bool,
    /// What they have been shown of the calls; none where all calls are still to be told.
    picture: Option<Picture>,
    /// What is told before anything else.
    first: VecDeque<Told>,
}

/// The tenant that the caller may follow.
pub fn tenant(caller: &Caller) -> Result<TenantId, AppError> {
    Ok(caller.tenant(Permission::CallsViewOwn, Act::Read)?)
}

/// Follows the tenant that the caller acts in, from now on or from what they have seen last.
pub async fn follow(app: &App, caller: &Caller, seen: Option<&str>) -> Result<Following, AppError> {
    let view = calls::view(app, caller).await?;
    let last: Option<Seen> = seen.and_then(|seen| seen.parse().ok());
    // What happened meanwhile says nothing of calls that are seen since, and of those that are not any more.
    let picture = last.and_then(|last| last.picture.filter(|shown| shown.sight == view.sight));
    let last = last.filter(|_| picture.is_some()).map(|last| last.event);
    // Before the calls are looked at: what happens in between is told too, at worst twice.
    let reader = app.board.streams().follow(view.tenant, last);
    let all = app.calls_of(&view);
    let mut following = Following {
        sees_deployments: sees_deployments(caller),
        told_freshness: all.freshness,
        catches_up: false,
        picture: None,
        view,
        first: VecDeque::new(),
        reader,
    };
    if let Some(shown) = picture.filter(|_| following.reader.goes_on()) {
        following.picture = Some(shown);
        following.catches_up = true;
        // No call is told as known that is not. That calls are known again is told no sooner than what made it so.
        match (shown.stale, all.freshness.stale) {
            (false, true) => following.first.push_back(Told::Known(all.freshness)),
            (true, false) => following.told_freshness.stale = true,
            (false, false) | (true, true) => {}
        }
    } else {
        if seen.is_some() {
            following.first.push_back(Told::Missed(None));
        }
        following.first.push_back(Told::Calls(all));
    }
    Ok(following)
}

fn sees_deployments(caller: &Caller) -> bool {
    caller.tenant(Permission::ConfigDeploy, Act::Read).is_ok()
}

impl Following {
    /// Takes over what the caller may see by now.
    pub async fn renew(&mut self, app: &App, caller: &Caller) -> Result<(), AppError> {
        let view = calls::view(app, caller).await?;
        if view.tenant != self.view.tenant {
            return Err(AppError::NotFound);
        }
        if view.sight == self.view.sight {
            // Another PBX may serve the tenant by now, or its listener stand still.
            let told = self
                .freshness_if_otherwise(app, view.tenant, view.instance)
                .map(Told::Known);
            self.first.extend(told);
        } else {
            let all = app.calls_of(&view);
            self.told_freshness = all.freshness;
            // What was to be told of the calls is of the former sight.
            self.first.retain(|told| matches!(told, Told::Missed(_)));
            self.first.push_back(Told::Calls(all));
            self.picture = None;
        }
        self.view = view;
        self.sees_deployments = sees_deployments(caller);
        Ok(())
    }

    /// How well the calls are known, where that is not what was told last. That they are again is told behind what they missed, and
    /// not in the middle of it.
    fn freshness_if_otherwise(
        &mut self,
        app: &App,
        tenant: TenantId,
        instance: InstanceId,
    ) -> Option<Freshness> {
        let freshness = app.board.freshness(tenant, instance, app.now());
        if self.catches_up && !freshness.stale {
            return None;
        }
        let before = std::mem::replace(&mut self.told_freshness, freshness);
        (freshness.stale != before.stale).then_some(freshness)
    }

    /// Whether something may be there to tell.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        !self.first.is_empty() || self.reader.has_more() || self.catches_up
    }

    /// What is there already, with the name of the moment.
    pub fn ready(&mut self, app: &App) -> Option<(Seen, Told)> {
        loop {
            if let Some(told) = self.first.pop_front() {
                return Some(self.named(told));
            }
            let told = match self.reader.ready() {
                // The event that said so may be gone, or there was none.
                None if std::mem::take(&mut self.catches_up) => {
                    let View { tenant, instance, .. } = self.view;
                    self.freshness_if_otherwise(app, tenant, instance)
                        .map(Told::Known)
                }
                None => return None,
                Some(Heard::Missed(count)) => {
                    let all = app.calls_of(&self.view);
                    self.told_freshness = all.freshness;
                    self.first.push_back(Told::Calls(all));
                    Some(Told::Missed(Some(count)))
                }
                Some(Heard::Event(_, happening)) => self.seen(app, &happening),
            };
            if let Some(told) = told {
                return Some(self.named(told));
            }
        }
    }

    /// What is told now, with the name under which who gets it can come again.
    fn named(&mut self, told: Told) -> (Seen, Told) {
        match &told {
            Told::Calls(all) => {
                self.picture = Some(Picture {
                    sight: self.view.sight,
                    stale: all.freshness.stale,
                });
            }
            Told::Known(freshness) => {
                self.picture = self.picture.map(|picture| Picture {
                    stale: freshness.stale,
                    ..picture
                });
            }
            Told::Missed(_) => self.picture = None,
            _ => {}
        }
        let seen = Seen {
            event: self.reader.position(),
            picture: self.picture,
        };
        (seen, told)
    }

    /// Waits until something may be there. Cancel safe.
    pub async fn woken(&mut self) {
        if self.first.is_empty() {
            self.reader.woken().await;
        }
    }

    /// What somebody sees of what has happened.
    fn seen(&mut self, app: &App, happening: &Happening) -> Option<Told> {
        match happening {
            Happening::Call { before, now } => {
                let sight = self.view.sight;
                let shown = |call: &Option<Arc<Call>>| call.clone().filter(|call| sight.shows(call));
                match (shown(before), shown(now)) {
                    (None, Some(now)) => Some(Told::Began(now)),
                    (Some(_), Some(now)) => Some(Told::Changed(now)),
                    (Some(before), None) => Some(Told::Ended(before)),
                    (None, None) => None,
                }
            }
            Happening::Phones {
                extension_id,
                number,
                contacts,
            } => {
                let is_own = matches!(self.view.sight, calls::Sight::Own(own) if own.is_some() && own == *extension_id);
                (self.view.sight == calls::Sight::All || is_own).then(|| Told::Phones {
                    extension_id: *extension_id,
                    number: number.clone(),
                    contacts: *contacts,
                })
            }
            // It may be of another PBX than the tenant's.
            Happening::Known(_) => {
                let View { tenant, instance, .. } = self.view;
                self.freshness_if_otherwise(app, tenant, instance)
                    .map(Told::Known)
            }
            Happening::Deployment { deployment, stages } => {
                let told = || Told::Deployment(Box::new(((**deployment).clone(), stages.clone())));
                self.sees_deployments.then(told)
            }
        }
    }
}
