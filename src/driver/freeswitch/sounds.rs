//! Whether sounds lie where FreeSWITCH looks for them: it is asked file by file, and plays nothing where one is missing.

use std::collections::BTreeSet;

use super::{Switch, asked};
use crate::domain::recording_notice::SoundName;
use crate::driver::event_socket::{ANSWER, word};
use crate::driver::{DriverError, SoundFound, Sounds, unknown_sounds};
use crate::wire::esl::Error;

/// The variables that say where a sound's name begins, as FreeSWITCH takes them: the second where the first is not set.
const PREFIXES: [&str; 2] = ["sound_prefix", "base_dir"];
/// The directory that a file is in, and those beside it that it tries first, one for each sampling rate.
const RATES: [&str; 5] = ["", "8000/", "16000/", "32000/", "48000/"];

/// Looks for each of them.
pub(super) async fn look(switch: &Switch, sounds: BTreeSet<SoundName>) -> Result<Sounds, DriverError> {
    let Some(prefix) = prefix(switch).await? else {
        let variables = PREFIXES.join("` nor `");
        let reason = format!("FreeSWITCH does not say where its sounds are: neither `{variables}` is set");
        return Ok(unknown_sounds(sounds, &reason));
    };
    let mut known = Sounds::new();
    for sound in sounds {
        let found = match is_there(switch, &prefix, &sound).await {
            Ok(true) => SoundFound::There,
            Ok(false) => SoundFound::Missing(prefix.clone()),
            Err(error @ (Error::Answer { .. } | Error::Refused { .. })) => {
                SoundFound::Unknown(asked(error).full())
            }
            Err(error) => return Err(asked(error)),
        };
        known.insert(sound, found);
    }
    Ok(known)
}

async fn prefix(switch: &Switch) -> Result<Option<String>, DriverError> {
    for name in PREFIXES {
        let value = switch
            .client()
            .global(&word(name)?, ANSWER)
            .await
            .map_err(asked)?;
        if let Some(value) = value.map(|value| value.trim().to_owned())
            && !value.is_empty()
        {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

async fn is_there(switch: &Switch, prefix: &str, sound: &SoundName) -> Result<bool, Error> {
    for path in paths(prefix, sound) {
        if switch.client().file_exists(&path, ANSWER).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Every file that FreeSWITCH may play under this name.
fn paths(prefix: &str, sound: &SoundName) -> impl Iterator<Item = String> {
    let (directory, file) = sound.as_str().rsplit_once('/').unwrap_or(("", sound.as_str()));
    let parent = if directory.is_empty() {
        format!("{prefix}/")
    } else {
        format!("{prefix}/{directory}/")
    };
    RATES
        .into_iter()
        .map(move |rate| format!("{parent}{rate}{file}.wav"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a12_a_sound_lies_under_its_name_or_beside_it_under_a_sampling_rate() {
        let of = |sound: &str| -> Vec<String> { paths("/s", &sound.parse().unwrap()).collect() };
        assert_eq!(
            of("ivr/told"),
            [
                "/s/ivr/told.wav",
                "/s/ivr/8000/told.wav",
                "/s/ivr/16000/told.wav",
                "/s/ivr/32000/told.wav",
                "/s/ivr/48000/told.wav"
            ]
        );
        assert_eq!(of("told")[1], "/s/8000/told.wav");
    }
}
