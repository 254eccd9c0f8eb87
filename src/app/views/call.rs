//! Calls that are up, and what happens to them, as every surface shows it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::DeploymentView;
use crate::app::calls::ActiveCalls;
use crate::app::events::Told;
use crate::domain::call::{Call, CallDirection, CallState, Freshness};
use crate::domain::ids::{CallId, ExtensionId};

/// A call that is up.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActiveCall")]
pub struct CallView {
    id: CallId,
    /// Who calls: an extension's number, or what was sent from outside; at most 80 characters.
    from: String,
    /// Who is called: what was dialled, else who is at the other end; at most 80 characters.
    to: String,
    direction: CallDirection,
    state: CallState,
    /// When it began, to the second; null where the PBX does not say.
    started_at: Option<Timestamp>,
    /// When it was answered; null before, and where that was not heard.
    answered_at: Option<Timestamp>,
    /// The extensions that take part at the moment.
    extension_ids: Vec<ExtensionId>,
}

impl From<&Call> for CallView {
    fn from(call: &Call) -> Self {
        Self {
            id: call.id,
            from: call.from.as_str().to_owned(),
            to: call.to.as_str().to_owned(),
            direction: call.direction,
            state: call.state,
            started_at: call.started_at,
            answered_at: call.answered_at,
            extension_ids: call.extension_ids.clone(),
        }
    }
}

/// How many calls there are, and how well that is known.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActiveCallsMeta")]
pub struct CallsMeta {
    /// How many there are.
    total: usize,
    #[serde(flatten)]
    freshness: Freshness,
}

/// Calls that are up.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActiveCalls")]
pub struct CallsView {
    data: Vec<CallView>,
    meta: CallsMeta,
}

impl From<ActiveCalls> for CallsView {
    fn from(active: ActiveCalls) -> Self {
        Self {
            meta: CallsMeta {
                total: active.calls.len(),
                freshness: active.freshness,
            },
            data: active.calls.iter().map(|call| CallView::from(&**call)).collect(),
        }
    }
}

/// One event of the stream, as it is written.
#[derive(Serialize)]
#[serde(untagged)]
pub enum ToldView {
    /// All calls.
    Calls(CallsView),
    /// One thing.
    One {
        /// The call, or the deployment.
        data: Box<OneView>,
    },
    /// Phones that can be reached.
    Phones {
        /// Whose; null where nobody has that number.
        extension_id: Option<ExtensionId>,
        /// Its number.
        number: String,
        /// How many can be reached now.
        contacts: usize,
    },
    /// How well the calls are known.
    Known(Freshness),
    /// What was missed.
    Missed {
        /// How much; null where that is not known.
        missed: Option<u64>,
    },
}

/// A call, or a deployment.
#[derive(Serialize)]
#[serde(untagged)]
pub enum OneView {
    /// A call.
    Call(CallView),
    /// A deployment.
    Deployment(DeploymentView),
}

impl ToldView {
    /// The name of the event, and what is written of it.
    #[must_use]
    pub fn of(told: Told) -> (&'static str, Self) {
        let call = |call: &Call| Self::One {
            data: Box::new(OneView::Call(call.into())),
        };
        match told {
            Told::Calls(active) => ("calls", Self::Calls(active.into())),
            Told::Began(began) => ("call.began", call(&began)),
            Told::Changed(changed) => ("call.changed", call(&changed)),
            Told::Ended(ended) => ("call.ended", call(&ended)),
            Told::Phones {
                extension_id,
                number,
                contacts,
            } => {
                let number = number.into();
                let phones = Self::Phones {
                    extension_id,
                    number,
                    contacts,
                };
                ("phones", phones)
            }
            Told::Known(freshness) => ("freshness", Self::Known(freshness)),
            Told::Deployment(deployment) => {
                let (deployment, stages) = *deployment;
                let view = OneView::Deployment(DeploymentView::new(deployment, stages));
                ("deployment", Self::One { data: Box::new(view) })
            }
            Told::Missed(missed) => ("missed", Self::Missed { missed }),
        }
    }
}
