//! The deploy engine: from what the database holds to what the running PBX is proven to serve, or back.

mod advice;
mod aim;
mod apply;
mod assemble;
mod discretion;
mod drift;
mod engine;
mod error;
mod expectation;
mod files_only;
mod fragments;
mod ground;
mod host_lock;
mod inquiry;
mod lease;
mod masking;
mod mending;
mod moves;
mod plan;
mod preview;
mod proof;
mod reading;
mod record;
pub mod request;
mod run;
mod subject;
mod templates;
mod validate;
mod verification;

pub use engine::{DriverFactory, Engine, EngineOptions, ShadowPolicy};
pub use error::DeployError;
pub use files_only::Written;
pub use preview::{FileDiff, Preview};
pub use templates::TemplateSource;
pub use verification::Verification;
