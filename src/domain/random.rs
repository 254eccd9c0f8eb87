//! Where randomness comes from; passed in, so that a test owns it.

/// Fills buffers with unpredictable bytes.
pub trait Randomness: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The system has no randomness to give: nothing secret may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the system's random generator failed; no secret can be made")]
pub struct NoRandomness;

/// The system's generator, which is ready at once. The crypto library's own seeds itself from the processor's jitter in each
/// process that asks it: some 60 ms of work before the first byte.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemRandom;

impl Randomness for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(buffer).map_err(|_| NoRandomness)
    }
}

/// Letters and digits, which stand as they are in links, headers and files of every kind: 5.95 bits each.
pub const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `length` characters drawn evenly from `alphabet` (2 to 256 ASCII characters).
pub fn text(random: &dyn Randomness, alphabet: &[u8], length: usize) -> Result<String, NoRandomness> {
    let size = alphabet.len().clamp(1, 256);
    // Bytes beyond the largest multiple of the alphabet's size would favour its first letters.
    let fair = 256 - 256 % size;
    let mut chosen = String::with_capacity(length);
    let mut buffer = [0_u8; 64];
    while chosen.len() < length {
        random.fill(&mut buffer)?;
        let fresh = buffer
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < fair)
            .filter_map(|byte| alphabet.get(byte % size).copied())
            .map(char::from);
        chosen.extend(fresh.take(length - chosen.len()));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_length_and_the_letters_asked_for() {
        let drawn = text(&SystemRandom, b"abc", 200).unwrap();
        assert_eq!(drawn.len(), 200);
        assert!("abc".chars().all(|letter| drawn.contains(letter)));
        assert!(drawn.chars().all(|letter| "abc".contains(letter)));
    }
}
