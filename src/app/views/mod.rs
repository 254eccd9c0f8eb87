//! What use cases answer, in the JSON shape that API and command line share.

mod api_key;
mod audit_entry;
mod deployment;
mod extension;
mod instance;
mod invitation;
mod looks;
mod own_tenant;
mod role;
mod session;
mod tenant;
mod user;

pub use api_key::{ApiKeyView, CreatedKeyView};
pub use audit_entry::{ActorView, AuditEntryView, PlaceView};
pub use deployment::DeploymentView;
pub use extension::{CreatedView, ExtensionView, SecretView, SecretsView, VisibleExtension};
pub use instance::InstanceView;
pub use invitation::InvitedView;
pub use looks::{PlanView, VerificationView};
pub use own_tenant::{OwnTenantView, UsageView};
pub use role::{RoleView, RolesView};
pub use session::{LoginView, SessionView, WhoView};
pub use tenant::TenantView;
pub use user::UserView;
