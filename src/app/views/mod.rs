//! What use cases answer, in the JSON shape that API and command line share.

mod api_key;
mod audit_entry;
mod call;
mod call_record;
mod check;
mod consent;
mod dashboard;
mod deployment;
mod erasure;
mod extension;
mod instance;
mod invitation;
mod looks;
mod own_tenant;
mod purge;
mod recording;
mod retention;
mod role;
mod session;
mod tenant;
mod tenant_detail;
mod tenant_followed;
mod tenant_row;
mod ticket;
mod user;
mod webhook;

pub use api_key::{ApiKeyView, CreatedKeyView};
pub use audit_entry::{ActorView, AuditEntryView, PlaceView};
pub use call::{CallView, CallsView, ToldView};
pub use call_record::{CallGapView, CallRecordView};
pub use check::{CheckView, ChecksView};
pub use consent::ConsentView;
pub use dashboard::{DashboardView, InstanceHealthView};
pub use deployment::DeploymentView;
pub use erasure::{CertificateView, ErasureView};
pub use extension::{
    CreatedView, ExtensionView, RevealedSecretsView, RevealedView, SecretView, VisibleExtension,
};
pub use instance::InstanceView;
pub use invitation::InvitedView;
pub use looks::{PlanView, VerificationView};
pub use own_tenant::{OwnTenantView, UsageView};
pub use purge::{PurgePreviewView, PurgeView};
pub use recording::RecordingView;
pub use retention::RetentionView;
pub use role::{RoleView, RolesView};
pub use session::{LoginView, SessionView, WhoView};
pub use tenant::TenantView;
pub use tenant_detail::{SuspensionView, TenantDetailView};
pub use tenant_followed::{ChangedTenantView, FollowedView, LeavingView, NewTenantView};
pub use tenant_row::TenantRowView;
pub use ticket::{AssigneeView, TicketAuthorView, TicketCommentView, TicketView, WholeTicketView};
pub use user::UserView;
pub use webhook::{CreatedWebhookView, WebhookView};
