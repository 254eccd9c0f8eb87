//! Audio codecs and the order in which an extension offers them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::invalid::Invalid;
use super::parsed::word_enum;

word_enum! {
    /// An audio codec, by the name that Asterisk and FreeSWITCH share.
    Codec { Opus = "opus", G722 = "g722", Alaw = "alaw", Ulaw = "ulaw", Gsm = "gsm", G729 = "g729" }
}

/// The codecs of an extension, first choice first; at least one, none twice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Codec>", into = "Vec<Codec>")]
#[schemars(inline, extend("minItems" = 1, "uniqueItems" = true))]
pub struct Codecs(Vec<Codec>);

impl Codecs {
    /// First choice first.
    #[must_use]
    pub fn as_slice(&self) -> &[Codec] {
        &self.0
    }
}

impl Default for Codecs {
    /// What nearly every phone speaks, wideband first.
    fn default() -> Self {
        Self(vec![Codec::G722, Codec::Alaw, Codec::Ulaw])
    }
}

impl TryFrom<Vec<Codec>> for Codecs {
    type Error = Invalid;

    fn try_from(codecs: Vec<Codec>) -> Result<Self, Self::Error> {
        let mut seen = Vec::new();
        for codec in &codecs {
            if seen.contains(codec) {
                return Err(Invalid::new("must not name a codec twice"));
            }
            seen.push(*codec);
        }
        if codecs.is_empty() {
            return Err(Invalid::new("must name at least one codec"));
        }
        Ok(Self(codecs))
    }
}

impl From<Codecs> for Vec<Codec> {
    fn from(codecs: Codecs) -> Self {
        codecs.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_some_and_distinct() {
        assert!(Codecs::try_from(vec![]).is_err());
        assert!(Codecs::try_from(vec![Codec::Alaw, Codec::Alaw]).is_err());
        assert!(Codecs::try_from(vec![Codec::Alaw, Codec::Opus]).is_ok());
    }
}
