//! Sealing: how a secret is kept in the database so that the database alone does not give it away.

mod encoding;
mod sealed;
mod sealing_key;

pub use sealed::OpenError;
pub use sealing_key::{BadKey, KeyId, SealError, SealingKey, SigningKey};
