//! Calls that are up: all of the tenant's, or those in which the caller's own extension takes part.

use std::sync::Arc;

use super::App;
use super::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity};
use crate::domain::call::{Call, Freshness};
use crate::domain::ids::{ExtensionId, InstanceId, TenantId};
use crate::domain::permission::Permission;
use crate::store::{tenants, users};

/// Calls of a tenant that are up.
pub struct ActiveCalls {
    /// Those that the caller may see, in the order in which they began.
    pub calls: Vec<Arc<Call>>,
    /// How well they are known.
    pub freshness: Freshness,
}

/// Which calls of a tenant somebody may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// All of them.
    All,
    /// Those in which their own extension takes part; none where they have none.
    Own(Option<ExtensionId>),
}

impl Sight {
    /// Whether a call is among them.
    #[must_use]
    pub fn shows(self, call: &Call) -> bool {
        match self {
            Self::All => true,
            Self::Own(extension) => extension.is_some_and(|extension| call.involves(extension)),
        }
    }
}

/// What somebody may see of a tenant's calls, and the PBX that is to serve it.
pub(super) struct View {
    pub(super) tenant: TenantId,
    pub(super) instance: InstanceId,
    pub(super) sight: Sight,
}

pub(super) async fn view(app: &App, caller: &Caller) -> Result<View, AppError> {
    let tenant = caller.tenant(Permission::CallsViewOwn, Act::Read)?;
    let sees_all = caller.tenant(Permission::CallsViewAll, Act::Read).is_ok();
    let mut tx = app.store.read("calls_view").await?;
    let found = tenants::find(&mut tx, tenant).await?.ok_or(AppError::NotFound)?;
    let sight = match caller.identity() {
        _ if sees_all => Sight::All,
        Identity::User(user) => {
            let user = users::find(&mut tx, tenant, user.user_id).await?;
            Sight::Own(user.and_then(|user| user.extension_id))
        }
        // A program has no phone.
        Identity::ApiKey(_) | Identity::SystemCli | Identity::SystemAuto => Sight::Own(None),
    };
    Ok(View {
        tenant,
        instance: found.instance_id,
        sight,
    })
}

/// The calls that are up.
pub async fn active(app: &App, caller: &Caller) -> Result<ActiveCalls, AppError> {
    let view = view(app, caller).await?;
    Ok(app.calls_of(&view))
}

impl App {
    pub(super) fn calls_of(&self, view: &View) -> ActiveCalls {
        let (mut calls, freshness) = self.board.of_tenant(view.tenant, view.instance, self.now());
        calls.retain(|call| view.sight.shows(call));
        ActiveCalls { calls, freshness }
    }
}
