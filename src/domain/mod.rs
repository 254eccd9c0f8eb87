//! The pure types of the product: each proves its own validity when it is made, none does I/O.

pub mod caller_id;
pub mod change;
pub mod clock;
pub mod codec;
pub mod deployment;
pub mod dial;
pub mod digest;
pub mod email;
pub mod extension;
pub mod extension_input;
pub mod finding;
pub mod generation;
pub mod ids;
pub mod instance;
pub mod invalid;
pub mod name;
pub mod page;
pub mod parsed;
pub mod random;
pub mod reason;
pub mod request_id;
pub mod revision;
pub mod secret;
pub mod sip_domain;
pub mod tenant;
pub mod timezone;
