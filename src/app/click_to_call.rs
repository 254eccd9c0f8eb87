//! Click-to-call: somebody has their own phone rung, and through it whom they want; nobody calls from another one's phone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::idempotency::{Done, Once};
use super::places::{NoPlace, OF_ALL, Place, Places};
use crate::auth::caller::{Caller, Identity};
use crate::domain::dial::DialNumber;
use crate::domain::error_chain::error_chain;
use crate::domain::extension::{Extension, ExtensionStatus};
use crate::domain::given::given;
use crate::domain::ids::{ExtensionId, InstanceId, TenantId};
use crate::domain::invalid::FieldErrors;
use crate::domain::leg::Endpoint;
use crate::domain::permission::Permission;
use crate::driver::DriverError;
use crate::store::{Tx, extensions, idempotency_keys, tenants, users};

/// A PBX that has not answered by then keeps no other calls waiting. FreeSWITCH may take 1.5 s to say that no phone is there.
pub(super) const MAKING: Duration = Duration::from_millis(2_500);
/// Whoever asked waits so long for a refusal: also for that of a PBX that did not answer.
const PATIENCE: Duration = MAKING.saturating_add(Duration::from_millis(500));
/// Later than that nobody expects their phone to ring any more.
const STALE: SignedDuration = SignedDuration::from_secs(15);

/// Whom to call.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["to"]))]
pub struct ClickInput {
    /// A number that the own extension may dial.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "DialNumber")]
    pub to: Option<String>,
}

/// A call that is to be made.
pub struct Click {
    instance: InstanceId,
    from: Endpoint,
    to: DialNumber,
    asked_at: Timestamp,
    under_way: Place<ExtensionId>,
    done: oneshot::Sender<Result<(), Refused>>,
}

impl Click {
    /// The PBX that is to make it.
    #[must_use]
    pub const fn instance(&self) -> InstanceId {
        self.instance
    }
}

/// Why the PBX does not do it.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// The calls that wait to be made. Cheap to clone.
#[derive(Clone)]
pub(super) struct Clicks {
    sender: Sender<Click>,
    receiver: Arc<Mutex<Option<Receiver<Click>>>>,
    /// Those that wait to be made or are being made, by whose phone is rung.
    under_way: Places<ExtensionId>,
}

impl Clicks {
    /// Refused while another call from this extension is being made, or as many of its PBX are as may be.
    fn start(&self, extension: ExtensionId, instance: InstanceId) -> Result<Place<ExtensionId>, Refused> {
        let place = self.under_way.enter(extension, instance);
        place.map_err(|none| match none {
            NoPlace::Taken => Refused {
                code: "call_under_way",
                message: "a call from your extension is being made already; try again once your phone rings, or in a few seconds"
                    .to_owned(),
            },
            NoPlace::Full => too_many(),
        })
    }
}

fn too_many() -> Refused {
    Refused {
        code: "too_many_calls",
        message: "too many calls wait to be made; try again".to_owned(),
    }
}

impl Default for Clicks {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(OF_ALL);
        Self {
            sender,
            receiver: Arc::new(Mutex::new(Some(receiver))),
            under_way: Places::default(),
        }
    }
}

/// Has a number called from the caller's own extension: their phone rings first.
pub async fn call(
    app: &App,
    caller: &Caller,
    input: ClickInput,
    once: Option<&Once>,
) -> Result<Done<()>, AppError> {
    let to = parsed(input)?;
    let right = Permission::CallsClickToCall;
    let (mut tx, caller, tenant) = app.begin_inside(caller, right, "click_to_call").await?;
    if let Some(()) = app.answered_before(&mut tx, tenant, &caller, once).await? {
        return Ok(Done::Before(()));
    }
    let extension = own_extension(&mut tx, &caller, tenant).await?;
    let whose = tenants::find(&mut tx, tenant).await?.ok_or(AppError::NotFound)?;
    let started = app.clicks.start(extension.id, whose.instance_id);
    let under_way = started.map_err(|refused| AppError::conflict(refused.code, refused.message))?;
    app.keep_answer(&mut tx, tenant, &caller, once, ()).await?;
    app.audit(&mut tx, &caller, clicked(&extension, &to))?;
    tx.commit().await?;
    let (done, told) = oneshot::channel();
    let click = Click {
        instance: whose.instance_id,
        from: Endpoint {
            number: extension.number,
            domain: whose.domain,
        },
        to,
        asked_at: app.now(),
        under_way,
        done,
    };
    let answer = match app.clicks.sender.try_send(click) {
        Err(_) => Some(too_many()),
        Ok(()) => match timeout(PATIENCE, told).await {
            Ok(Ok(Err(refused))) => Some(refused),
            // It is being done, or will be.
            _ => None,
        },
    };
    let Some(refused) = answer else {
        return Ok(Done::Now(()));
    };
    if let Some(once) = once {
        forget(app, &caller, tenant, once).await?;
    }
    Err(AppError::conflict(refused.code, refused.message))
}

/// Sent again, it is tried again.
async fn forget(app: &App, caller: &Caller, tenant: TenantId, once: &Once) -> Result<(), AppError> {
    let mut tx = app.begin_in(tenant, "forget_click").await?;
    let key = caller.identity().key();
    idempotency_keys::forget(&mut tx, &once.request_of(Some(tenant), &key)).await?;
    Ok(tx.commit().await?)
}

fn parsed(input: ClickInput) -> Result<DialNumber, FieldErrors> {
    let mut errors = FieldErrors::default();
    let to = if let Some(to) = input.to {
        errors.take("to", to.parse())
    } else {
        errors.add("to", "is required");
        None
    };
    errors.check()?;
    to.ok_or_else(|| FieldErrors::one("to", "is required"))
}

/// The extension that is the caller's phone. A program has none, and nobody has one in a tenant that they do not work for.
pub(super) async fn own_extension_id(
    tx: &mut Tx,
    caller: &Caller,
    tenant: TenantId,
) -> Result<Option<ExtensionId>, AppError> {
    let Identity::User(user) = caller.identity() else {
        return Ok(None);
    };
    let user = users::find(tx, tenant, user.user_id).await?;
    Ok(user.and_then(|user| user.extension_id))
}

async fn own_extension(tx: &mut Tx, caller: &Caller, tenant: TenantId) -> Result<Extension, AppError> {
    let none = || {
        AppError::conflict(
            "no_extension",
            "no extension is linked to you; whoever manages users can link one (`PUT /org-users/{id}/extension`)",
        )
    };
    let id = own_extension_id(tx, caller, tenant).await?.ok_or_else(none)?;
    let extension = extensions::find(tx, tenant, id).await?.ok_or_else(none)?;
    if extension.settings.status != ExtensionStatus::Active {
        return Err(AppError::conflict(
            "extension_disabled",
            "your extension is disabled; whoever manages extensions can have it served again",
        ));
    }
    Ok(extension)
}

fn clicked(extension: &Extension, to: &DialNumber) -> Changed {
    Changed {
        action: "call.click",
        resource: "extension",
        target: extension.id.to_string(),
        tenant_id: Some(extension.tenant_id),
        before: None,
        after: Some(json!({"from": extension.number, "to": to})),
    }
}

/// The calls that are asked for, for the one who makes them; none when somebody does already.
#[must_use]
pub fn take(app: &App) -> Option<Receiver<Click>> {
    let mut receiver = app.clicks.receiver.lock().unwrap_or_else(PoisonError::into_inner);
    receiver.take()
}

/// Makes a call, and tells whoever asked for it where that is refused.
pub async fn make(app: &App, click: Click) {
    let (instance, extension) = (click.instance, click.under_way.who());
    let waited = app.now().duration_since(click.asked_at);
    if waited > STALE {
        tracing::warn!(
            %instance, %extension, seconds = waited.as_secs(),
            "a phone was not rung: too many calls were waiting to be made, and nobody expects this one any more"
        );
        return;
    }
    let made = async {
        let (_, driver) = app.engine.driver(instance).await?;
        driver.call(&click.from, &click.to).await?;
        Ok::<_, crate::deploy::DeployError>(())
    };
    let answer = match timeout(MAKING, made).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(%instance, %extension, error = error_chain(&error), "a phone was not rung");
            Err(refused(&error.into()))
        }
        Err(_) => {
            let message = "the PBX does not answer; it is not known whether a phone was rung";
            tracing::warn!(%instance, %extension, "{message}");
            Err(Refused {
                code: "call_failed",
                message: message.to_owned(),
            })
        }
    };
    // Told of a refusal, they may try again at once.
    drop(click.under_way);
    // Nobody may wait for it any longer.
    let _ = click.done.send(answer);
}

/// What is told of a PBX that did not do what it was asked.
pub(super) fn refused(error: &AppError) -> Refused {
    use crate::deploy::DeployError;
    let (code, message) = match error {
        AppError::Conflict { code, message } => (*code, message.clone()),
        AppError::Deploy(DeployError::Driver(error @ DriverError::Refused { .. })) => {
            ("call_refused", format!("the PBX refused it: {}", error.full()))
        }
        AppError::Deploy(DeployError::Driver(DriverError::Unreachable { .. })) => (
            "pbx_unreachable",
            "the PBX cannot be reached now; try again later".to_owned(),
        ),
        _ => (
            "call_failed",
            "the PBX did not say whether it does so; the server's log tells more".to_owned(),
        ),
    };
    Refused { code, message }
}
