//! From snapshot to text: typed templates, one render function for each, pure and repeatable byte for byte.

pub mod asterisk;
pub mod escape;
mod files;
mod freeswitch;
mod fusionpbx;
mod language;
pub mod mail;
pub mod pbx;
mod sample;
mod switch;
pub mod template_set;
mod xml;

pub use sample::{Sample, samples};
use thiserror::Error;

/// Why a text could not be rendered.
#[derive(Debug, Error)]
pub enum RenderError {
    /// A template does not parse, or uses what it may not.
    #[error("template `{template}` is not usable: {reason}")]
    Template {
        /// Its name, such as `asterisk/pjsip.conf`.
        template: String,
        /// What is wrong, with the line where the engine knows it.
        reason: String,
    },
    /// A template parses, but does not render with this data.
    #[error("template `{template}` does not render: {reason}")]
    Render {
        /// Its name.
        template: String,
        /// What is wrong, with the line where the engine knows it.
        reason: String,
    },
    /// A directory of overrides cannot be read.
    #[error("cannot read the templates in {path}")]
    Directory {
        /// The file or directory.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// An override has a name that no template of ours has, so it would silently do nothing.
    #[error("`{name}` overrides no template; the names are: {known}")]
    UnknownOverride {
        /// The path below the override directory.
        name: String,
        /// What could be meant.
        known: String,
    },
}
