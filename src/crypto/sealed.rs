//! The form of a sealed value: `version | key id | place | nonce | cipher text with tag`, 1 + 8 + 8 + 12 + n + 16 bytes.

use super::sealing_key::{KeyId, first_eight};

const VERSION: u8 = 1;
const TAG: usize = 16;

/// Why a sealed value does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// It needs another key.
    #[error("it was sealed with the key {sealed_with}, and {configured} is configured")]
    WrongKey {
        /// The key it needs.
        sealed_with: KeyId,
        /// The key at hand.
        configured: KeyId,
    },
    /// It belongs elsewhere: its bytes were copied from another row or column.
    #[error("it was sealed for another row or column")]
    WrongPlace,
    /// Its bytes are not what was sealed.
    #[error("its bytes were changed since it was sealed")]
    Damaged,
    /// A later version of the program sealed it.
    #[error("it has the format {0}, which only a newer version of the program knows")]
    UnknownFormat(u8),
}

/// What stands before the cipher text, readable without the key. It is authenticated: GCM alone could not say
/// whether a value that does not open was damaged, moved or sealed by another key.
#[derive(Clone, Copy)]
pub(super) struct Header {
    key: KeyId,
    place: [u8; 8],
}

impl Header {
    pub(super) fn new(key: KeyId, place: &str) -> Self {
        Self {
            key,
            place: first_eight(blake3::hash(place.as_bytes()).as_bytes()),
        }
    }

    /// Refuses a value of another key or another place.
    pub(super) fn check(&self, configured: KeyId, place: &str) -> Result<(), OpenError> {
        if self.key != configured {
            return Err(OpenError::WrongKey {
                sealed_with: self.key,
                configured,
            });
        }
        if self.place != Self::new(configured, place).place {
            return Err(OpenError::WrongPlace);
        }
        Ok(())
    }

    /// The additional data of the cipher: the header, then the whole name of the place.
    pub(super) fn authenticated(&self, place: &str) -> Vec<u8> {
        let mut data = self.to_bytes();
        data.extend_from_slice(place.as_bytes());
        data
    }

    fn to_bytes(self) -> Vec<u8> {
        [&[VERSION], self.key.as_bytes().as_slice(), &self.place].concat()
    }
}

/// A sealed value, taken apart.
pub(super) struct Sealed<'a> {
    pub(super) header: Header,
    pub(super) nonce: [u8; 12],
    /// Cipher text and tag.
    pub(super) text: &'a [u8],
}

impl<'a> Sealed<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, OpenError> {
        let (version, rest) = bytes.split_first().ok_or(OpenError::Damaged)?;
        if *version != VERSION {
            return Err(OpenError::UnknownFormat(*version));
        }
        let (key, rest) = rest.split_first_chunk().ok_or(OpenError::Damaged)?;
        let (place, rest) = rest.split_first_chunk().ok_or(OpenError::Damaged)?;
        let (nonce, text) = rest.split_first_chunk().ok_or(OpenError::Damaged)?;
        if text.len() < TAG {
            return Err(OpenError::Damaged);
        }
        let header = Header {
            key: KeyId::from_bytes(*key),
            place: *place,
        };
        Ok(Self {
            header,
            nonce: *nonce,
            text,
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [self.header.to_bytes().as_slice(), &self.nonce, self.text].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_and_the_whole_place_are_authenticated() {
        let one = KeyId::from_bytes([1; 8]);
        let header = Header::new(one, "a");
        let data = header.authenticated("a");
        assert_ne!(data, header.authenticated("b"));
        assert_ne!(data, Header::new(one, "b").authenticated("a"));
        assert_ne!(
            data,
            Header::new(KeyId::from_bytes([2; 8]), "a").authenticated("a")
        );
    }
}
