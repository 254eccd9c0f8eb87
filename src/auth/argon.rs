//! Argon2id in memory that goes back to the system as soon as a password is hashed.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{self, CustomizedPasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// So many blocks are asked for at least, of which only those that are needed are touched and take memory.
///
/// What is larger than 32 MiB, glibc always gives back at once. What is smaller it comes to keep, for each of the threads that
/// hashed, in pieces: a handful of sign-ins left more than 100 MiB resident.
const GIVEN_BACK: usize = 33 * 1024 * 1024 / Block::SIZE;

/// The algorithm; `verify_password` comes with it.
pub(super) struct Argon;

impl CustomizedPasswordHasher<PasswordHash> for Argon {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> password_hash::Result<PasswordHash> {
        let algorithm = algorithm.map_or(Ok(Algorithm::Argon2id), Algorithm::try_from)?;
        let version = version.map_or(Ok(Version::V0x13), Version::try_from)?;
        let mut blocks = Vec::with_capacity(params.block_count().max(GIVEN_BACK));
        blocks.resize(params.block_count(), Block::default());
        let mut bytes = [0; Output::MAX_LENGTH];
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = bytes.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
        let salt = Salt::new(salt)?;
        let shown = ParamsString::try_from(&params)?;
        Argon2::new(algorithm, version, params).hash_password_into_with_memory(
            password,
            &salt,
            output,
            blocks.as_mut_slice(),
        )?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: shown,
            salt: Some(salt),
            hash: Some(Output::new(output)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher as _, PasswordVerifier as _};
    use std::thread;

    const KIB: u32 = 19 * 1024;

    fn params() -> Params {
        Params::new(KIB, 1, 1, None).unwrap()
    }

    fn resident() -> u32 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    #[test]
    fn it_hashes_as_the_crate_does_and_verifies_what_the_crate_hashed() {
        let theirs = Argon2::new(Algorithm::Argon2id, Version::V0x13, params());
        let theirs = theirs.hash_password_with_salt(b"quince", &[7; 16]).unwrap();
        let ours = Argon
            .hash_password_with_params(b"quince", &[7; 16], params())
            .unwrap();
        assert_eq!(ours.to_string(), theirs.to_string());
        assert!(Argon.verify_password(b"quince", &theirs).is_ok());
        assert!(Argon.verify_password(b"medlar", &theirs).is_err());
    }

    #[test]
    fn what_many_hashes_took_is_not_kept() {
        let hash = || Argon.hash_password_with_params(b"quince", &[7; 16], params());
        let before = resident();
        for _ in 0..3 {
            let both =
                [(); 2].map(|()| thread::spawn(move || (0..4).map(|_| hash()).all(|hash| hash.is_ok())));
            assert!(both.into_iter().all(|one| one.join().unwrap()));
        }
        let kept = resident().saturating_sub(before);
        assert!(kept < KIB, "{kept} kB are kept of hashes that take {KIB} kB each");
    }
}
