//! The use cases: each authorises its caller, changes in one named transaction with the audit entry, and nudges the
//! deploys; HTTP, dashboard and command line call the same functions.

pub mod api_keys;
mod audit;
pub mod audit_log;
pub mod auto_deploy;
pub mod call_csv;
pub mod call_events;
pub mod call_records;
pub mod calls;
pub mod carry_out;
pub mod click_to_call;
pub mod consent;
pub mod dashboard;
pub mod deployment_events;
pub mod deployment_news;
pub mod deployments;
pub mod erasures;
pub mod error;
pub mod events;
pub mod exports;
pub mod extension_csv;
pub mod extension_import;
pub mod extensions;
mod found_extension;
mod guards;
pub mod hang_up;
pub mod idempotency;
pub mod instance_changes;
pub mod instance_checks;
pub mod instance_input;
pub mod instance_loss;
mod instance_moves;
pub mod instances;
pub mod invitations;
pub mod mail;
pub mod metrics;
pub mod one_time;
pub mod operator;
pub mod own_tenant;
pub mod password_reset;
pub mod patch;
pub mod pbx_import;
mod places;
pub mod platform_user_changes;
pub mod platform_users;
pub mod precondition;
pub mod profile;
mod purge_disk;
mod purge_part;
mod purge_pass;
mod purge_recordings;
mod purge_voicemail;
pub mod purge_work;
pub mod purges;
mod recording_look;
pub mod recordings;
pub mod retention;
pub mod revisions;
pub mod roles;
pub mod sessions;
pub mod setbacks;
pub mod sign_in;
mod standing;
mod tell;
pub mod tenant_change;
pub mod tenant_creation;
pub mod tenant_deletion;
mod tenant_phones;
pub mod tenant_status;
pub mod tenant_upkeep;
pub mod tenants;
pub mod ticket_comments;
pub mod ticket_guards;
pub mod tickets;
pub mod trusted_time;
mod user_changes;
pub mod users;
pub mod views;
pub mod voicemail;
pub mod webhooks;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};

use self::click_to_call::Clicks;
use self::exports::Exports;
use self::mail::Mailing;
use self::password_reset::Waiting;
use self::places::Places;
use self::sign_in::SignIn;
use crate::deploy::Engine;
use crate::domain::clock::Clock;
use crate::domain::ids::{CallId, IdSource};
use crate::domain::random::Randomness;
use crate::domain::sip_domain::SipDomain;
use crate::domain::webhook_reach::WebhookReach;
use crate::monitor::board::Board;
use crate::store::Store;

/// All that the use cases work with.
#[derive(Clone)]
pub struct App {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    random: Arc<dyn Randomness>,
    deploys: Arc<Notify>,
    mailing: Mailing,
    sign_in: Option<Arc<SignIn>>,
    resets: Waiting,
    domain_suffix: Option<SipDomain>,
    clicks: Clicks,
    hanging_up: Places<CallId>,
    board: Board,
    webhook_reach: WebhookReach,
    exports: Exports,
    looks: Arc<Semaphore>,
}

impl App {
    /// `deploys` wakes whoever works the queue off.
    #[must_use]
    pub fn new(
        store: Store,
        engine: Arc<Engine>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        random: Arc<dyn Randomness>,
        deploys: Arc<Notify>,
    ) -> Self {
        Self {
            store,
            engine,
            clock,
            ids,
            random,
            deploys,
            mailing: Mailing::default(),
            sign_in: None,
            resets: Waiting::default(),
            domain_suffix: None,
            clicks: Clicks::default(),
            hanging_up: Places::default(),
            board: Board::default(),
            webhook_reach: WebhookReach::default(),
            exports: Exports::default(),
            looks: Arc::new(Semaphore::new(1)),
        }
    }

    /// Has live calls read from there.
    #[must_use]
    pub fn with_board(self, board: Board) -> Self {
        Self { board, ..self }
    }

    /// Has new tenants whose domain is not given have one that ends so.
    #[must_use]
    pub fn with_domain_suffix(self, domain_suffix: Option<SipDomain>) -> Self {
        Self {
            domain_suffix,
            ..self
        }
    }

    /// Lets users sign in.
    #[must_use]
    pub fn with_sign_in(self, sign_in: Option<SignIn>) -> Self {
        Self {
            sign_in: sign_in.map(Arc::new),
            ..self
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
