//! What use cases answer, in the JSON shape that API and command line share.

mod audit_entry;
mod deployment;
mod extension;
mod instance;
mod tenant;

pub use audit_entry::{ActorView, AuditEntryView, PlaceView};
pub use deployment::DeploymentView;
pub use extension::{CreatedView, ExtensionView, SecretsView};
pub use instance::InstanceView;
pub use tenant::TenantView;
