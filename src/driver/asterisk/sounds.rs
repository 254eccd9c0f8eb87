//! Whether sounds lie where Asterisk looks for them: it plays nothing where one is missing, and says so to its log alone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::read_dir;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::session::Session;
use crate::domain::recording_notice::SoundName;
use crate::driver::{SoundFound, Sounds, unknown_sounds};

/// The endings of the files that its format modules read.
const ENDINGS: [&str; 31] = [
    "wav", "WAV", "wav49", "wav16", "gsm", "ulaw", "ul", "mu", "ulw", "pcm", "alaw", "al", "alw", "sln",
    "raw", "sln12", "sln16", "sln24", "sln32", "sln44", "sln48", "sln96", "sln192", "g722", "g729", "ilbc",
    "ogg", "mp3", "siren7", "siren14", "vox",
];

/// Looks for each of them on this host.
pub async fn look(session: &Session, sounds: BTreeSet<SoundName>) -> Sounds {
    // What it runs with: `asterisk.conf` names it on few hosts, and may be another one by now.
    let data = match session.variable("ASTDATADIR").await {
        Ok(data) if !data.is_empty() => PathBuf::from(data),
        Ok(_) => return unknown_sounds(sounds, "Asterisk does not tell its ASTDATADIR"),
        Err(error) => return unknown_sounds(sounds, &error.full()),
    };
    let asked = sounds.clone();
    let looked = spawn_blocking(move || look_in(&data, sounds)).await;
    looked.unwrap_or_else(|error| unknown_sounds(asked, &error.to_string()))
}

fn look_in(data: &Path, sounds: BTreeSet<SoundName>) -> Sounds {
    let root = data.join("sounds");
    let places = match places(&root) {
        Ok(places) => places,
        // A host without any sounds. Where the directory above is not there either, Asterisk's files are elsewhere.
        Err(error) if error.kind() == ErrorKind::NotFound && data.is_dir() => Vec::new(),
        Err(error) => return unknown_sounds(sounds, &format!("{}: {error}", root.display())),
    };
    let found = |sound: SoundName| {
        let found = look_for(&root, &places, &sound);
        (sound, found)
    };
    sounds.into_iter().map(found).collect()
}

/// Where a sound may lie: there, and in the directory of each language.
fn places(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut places = vec![root.to_owned()];
    for entry in read_dir(root)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().and_then(OsStr::to_str).is_some_and(is_language) {
            places.push(path);
        }
    }
    Ok(places)
}

fn look_for(root: &Path, places: &[PathBuf], sound: &SoundName) -> SoundFound {
    let mut unread = None;
    for place in places {
        match is_in(place, sound) {
            Ok(true) => return SoundFound::There,
            Ok(false) => {}
            Err(error) => unread = Some(format!("{}: {error}", place.display())),
        }
    }
    unread.map_or_else(
        || SoundFound::Missing(root.display().to_string()),
        SoundFound::Unknown,
    )
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
    use std::os::unix::fs::symlink;

    fn sounds(names: &[&str]) -> BTreeSet<SoundName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    const fn is_unknown(found: &SoundFound) -> bool {
        matches!(found, SoundFound::Unknown(_))
    }

    fn missing(found: Sounds) -> BTreeSet<SoundName> {
        let missing = found.into_iter();
        let missing = missing.filter(|(_, found)| matches!(found, SoundFound::Missing(_)));
        missing.map(|(sound, _)| sound).collect()
    }

    #[test]
    fn a12_a_sound_is_there_where_asterisk_would_find_a_file_of_it() {
        let data = tempfile::tempdir().unwrap();
        let home = data.path().join("sounds");
        for directory in ["de/custom", "custom", "pt_BR"] {
            fs::create_dir_all(home.join(directory)).unwrap();
        }
        for file in [
            "plain.wav",
            "custom/ours.gsm",
            "de/custom/german.alaw",
            "pt_BR/brazilian.wav",
            "told.txt",
        ] {
            fs::write(home.join(file), "").unwrap();
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
        assert_eq!(missing(look_in(data.path(), asked)), expected);
    }

    #[test]
    fn a12_a_host_without_sounds_lacks_them_and_of_one_without_asterisks_files_nothing_is_known() {
        let data = tempfile::tempdir().unwrap();
        let asked = sounds(&["plain", "other"]);
        assert_eq!(missing(look_in(data.path(), asked.clone())), asked);
        let found = look_in(&data.path().join("elsewhere"), asked);
        assert!(found.len() == 2 && found.values().all(is_unknown), "{found:?}");
    }

    /// What cannot be looked at, and what is not there, say nothing of another tenant's sound.
    #[test]
    fn a12_each_sound_is_known_for_itself() {
        let data = tempfile::tempdir().unwrap();
        let home = data.path().join("sounds");
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("plain.wav"), "").unwrap();
        // A name that leads back to itself can be looked at by nobody.
        symlink("round", home.join("round")).unwrap();
        let found = look_in(data.path(), sounds(&["gone", "plain", "round/x"]));
        let of = |sound: &str| &found[&sound.parse().unwrap()];
        assert_eq!(*of("plain"), SoundFound::There);
        assert_eq!(*of("gone"), SoundFound::Missing(home.display().to_string()));
        assert!(is_unknown(of("round/x")), "{found:?}");
    }
}
