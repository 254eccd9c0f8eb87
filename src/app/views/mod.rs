//! What use cases answer, in the JSON shape that API and command line share.

mod deployment;
mod extension;
mod instance;
mod tenant;

pub use deployment::DeploymentView;
pub use extension::{CreatedView, ExtensionView, SecretsView};
pub use instance::InstanceView;
pub use tenant::TenantView;
