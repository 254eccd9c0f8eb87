//! What use cases answer, in the JSON shape that API and command line share.

mod deployment;
mod extension;
mod instance;
mod looks;
mod tenant;

pub use deployment::DeploymentView;
pub use extension::{CreatedView, ExtensionView, SecretView, SecretsView};
pub use instance::InstanceView;
pub use looks::{PlanView, VerificationView};
pub use tenant::TenantView;
