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
use crate::driver::{SoundFound, Sounds, unknown_sounds};

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
    let asked = sounds.clone();
    let looked = spawn_blocking(move || match named {
        Some(data) => look_in(&data, sounds),
        None => look_where_it_may_be(&BUILT_IN.map(Path::new), &sounds),
    });
    looked
        .await
        .unwrap_or_else(|error| unknown_sounds(asked, &error.to_string()))
}

fn look_in(data: &Path, sounds: BTreeSet<SoundName>) -> Sounds {
    let root = data.join("sounds");
    let places = match places(&root) {
        Ok(places) => places,
        Err(error) => return unknown_sounds(sounds, &format!("{}: {error}", root.display())),
    };
    let found = |sound: SoundName| {
        let found = look_for(&root, &places, &sound);
        (sound, found)
    };
    sounds.into_iter().map(found).collect()
}

/// What is found is there; what is not may lie where the program was built to look.
fn look_where_it_may_be(data: &[&Path], sounds: &BTreeSet<SoundName>) -> Sounds {
    let names: Vec<String> = data.iter().map(|data| data.display().to_string()).collect();
    let reason = format!(
        "asterisk.conf names no `astdatadir` under [directories], and it is not below {}",
        names.join(" or ")
    );
    let mut known = unknown_sounds(sounds.clone(), &reason);
    for data in data {
        let found = look_in(data, sounds.clone()).into_iter();
        known.extend(found.filter(|(_, found)| *found == SoundFound::There));
    }
    known
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
    fn a12_without_the_directory_of_sounds_nothing_is_known() {
        let data = tempfile::tempdir().unwrap();
        let found = look_in(data.path(), sounds(&["plain", "other"]));
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

    #[test]
    fn a12_where_asterisk_may_look_in_two_places_what_is_in_either_is_there_and_all_else_unknown() {
        let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for (data, file) in [(&first, "one.wav"), (&second, "two.wav")] {
            fs::create_dir_all(data.path().join("sounds")).unwrap();
            fs::write(data.path().join("sounds").join(file), "").unwrap();
        }
        let places = [first.path(), second.path(), Path::new("/nowhere")];
        let found = look_where_it_may_be(&places, &sounds(&["gone", "one", "two"]));
        let of = |sound: &str| &found[&sound.parse().unwrap()];
        assert_eq!((of("one"), of("two")), (&SoundFound::There, &SoundFound::There));
        assert!(is_unknown(of("gone")), "{found:?}");
    }
}
