//! Who is calling and who may do what, on a real database and with a real issuer.

#[cfg(test)]
mod id_claims;
#[cfg(test)]
mod id_tokens;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod issuer_keys;
#[cfg(test)]
mod key_cache;
#[cfg(test)]
mod passwords;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
