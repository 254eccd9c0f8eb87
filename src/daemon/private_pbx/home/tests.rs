//! What a private PBX's directory lets whom do.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn open_directory() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

fn secrets() -> Secrets {
    Secrets {
        daemon: "daemon-secret".to_owned().into(),
        outside: "outside-secret".to_owned().into(),
    }
}

#[test]
fn every_file_of_the_folder_is_written() {
    let mut there: Vec<_> = fs::read_dir("pbx/demo")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    assert_eq!(there, FILES.map(|(name, _)| name));
}

#[test]
fn no_placeholder_is_left_and_nobody_else_reads_a_secret() {
    let directory = open_directory();
    let home = Home::prepare(directory.path()).unwrap();
    home.write(&Ports::find(None).unwrap(), &secrets()).unwrap();
    for (name, _) in FILES {
        let path = directory.path().join("etc").join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains('@'), "{name}: {text}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640, "{name}");
    }
    let manager = fs::read_to_string(directory.path().join("etc/manager.conf")).unwrap();
    assert!(manager.contains("secret = daemon-secret") && manager.contains("secret = outside-secret"));
}

#[test]
fn the_dialplan_ends_in_the_include() {
    for name in ["extensions.conf", "pjsip.conf", "voicemail.conf"] {
        let (_, text) = FILES.iter().find(|(file, _)| *file == name).unwrap();
        assert_eq!(
            text.lines().last().unwrap(),
            format!("#tryinclude \"@CONFIG_DIR@/live/{name}\"")
        );
    }
}

#[test]
fn a_second_start_takes_the_directory_over() {
    let directory = open_directory();
    Home::prepare(directory.path()).unwrap();
    fs::write(directory.path().join("config/kept"), "x").unwrap();
    Home::prepare(directory.path()).unwrap();
    assert!(directory.path().join("config/kept").exists());
}

#[test]
fn a_directory_that_cannot_stand_in_a_configuration_file_is_refused() {
    let directory = open_directory();
    for name in ["semi;colon", &"long".repeat(25)] {
        let refused = Home::prepare(&directory.path().join(name));
        assert!(matches!(refused, Err(StartError::Name { .. })), "{name}");
        assert!(!directory.path().join(name).exists());
    }
}
