//! Whether sounds lie where Asterisk looks for them: it says so nowhere, and plays nothing where one is missing.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::read_dir;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::checks::section;
use super::session::Session;
use crate::domain::recording_notice::SoundName;
use crate::driver::Sounds;

/// Where Asterisk has what it plays where its own file does not say so: as Debian builds it, and as it builds itself.
const BUILT_IN: [&str; 2] = ["/usr/share/asterisk", "/var/lib/asterisk"];

/// The endings of the files that its format modules read.
const ENDINGS: [&str; 31] = [
    "wav", "WAV", "wav49", "wav16", "gsm", "ulaw", "ul", "mu", "ulw", "pcm", "alaw", "al", "alw", "sln",
    "raw", "sln12", "sln16", "sln24", "sln32", "sln44", "sln48", "sln96", "sln192", "g722", "g729", "ilbc",
    "ogg", "mp3", "siren7", "siren14", "vox",
];

/// Looks for each of them on this host.
pub async fn look(session: &Session, sounds: BTreeSet<SoundName>) -> Sounds {
    let directories = section(session, "asterisk.conf", "directories").await;
    let named = directories.into_iter().rev().find(|(key, _)| key == "astdatadir");
    let named = named.map(|(_, value)| PathBuf::from(value));
    let looked = spawn_blocking(move || match named {
        Some(data) => look_in(&data, sounds),
        None => look_where_it_may_be(&sounds),
    });
    looked
        .await
        .unwrap_or_else(|error| Sounds::Unknown(error.to_string()))
}

fn look_in(data: &Path, sounds: BTreeSet<SoundName>) -> Sounds {
    let root = data.join("sounds");
    match missing(&root, sounds) {
        Ok(missing) => Sounds::Looked {
            missing,
            place: root.display().to_string(),
        },
        Err(error) => Sounds::Unknown(format!("{}: {error}", root.display())),
    }
}

/// What is found is there; what is not may lie where the program was built to look.
fn look_where_it_may_be(sounds: &BTreeSet<SoundName>) -> Sounds {
    for data in BUILT_IN {
        let found = look_in(Path::new(data), sounds.clone());
        if matches!(&found, Sounds::Looked { missing, .. } if missing.is_empty()) {
            return found;
        }
    }
    Sounds::Unknown(format!(
        "asterisk.conf names no `astdatadir` under [directories], and it is not below {}",
        BUILT_IN.join(" or ")
    ))
}

/// Those that lie neither there nor in the directory of any language.
fn missing(root: &Path, sounds: BTreeSet<SoundName>) -> io::Result<BTreeSet<SoundName>> {
    let mut places = vec![root.to_owned()];
    for entry in read_dir(root)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().and_then(OsStr::to_str).is_some_and(is_language) {
            places.push(path);
        }
    }
    let mut missing = BTreeSet::new();
    for sound in sounds {
        let mut is_there = false;
        for place in &places {
            is_there = is_there || is_in(place, &sound)?;
        }
        if !is_there {
            missing.insert(sound);
        }
    }
    Ok(missing)
}

/// Whether Asterisk may take a directory for a language's: `de`, `en_GB` or `pt-br`, and not `custom`.
fn is_language(directory: &str) -> bool {
    let name = directory.split(['_', '-']).next().unwrap_or_default();
    matches!(name.len(), 2 | 3) && name.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_in(place: &Path, sound: &SoundName) -> io::Result<bool> {
    for ending in ENDINGS {
        let path = place.join(format!("{sound}.{ending}"));
        match path.metadata() {
            Ok(found) if found.is_file() => return Ok(true),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sounds(names: &[&str]) -> BTreeSet<SoundName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a12_a_sound_is_there_where_asterisk_would_find_a_file_of_it() {
        let home = tempfile::tempdir().unwrap();
        for directory in ["de/custom", "custom", "pt_BR"] {
            fs::create_dir_all(home.path().join(directory)).unwrap();
        }
        for file in [
            "plain.wav",
            "custom/ours.gsm",
            "de/custom/german.alaw",
            "pt_BR/brazilian.wav",
            "told.txt",
        ] {
            fs::write(home.path().join(file), "").unwrap();
        }
        let asked = sounds(&[
            "plain",
            "custom/ours",
            "custom/german",
            "brazilian",
            "told",
            "custom",
            "ours",
            "gone",
            "plain/x",
        ]);
        let expected = sounds(&["told", "custom", "ours", "gone", "plain/x"]);
        assert_eq!(missing(home.path(), asked).unwrap(), expected);
    }

    #[test]
    fn a12_without_the_directory_of_sounds_nothing_is_known() {
        let home = tempfile::tempdir().unwrap();
        assert!(missing(&home.path().join("sounds"), sounds(&["plain"])).is_err());
    }
}
