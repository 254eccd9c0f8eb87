//! Installing and removing over whatever an operator may have written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::read::{sections, value};
use super::*;
use crate::driver::asterisk::ended::MAPPINGS;

mod cut_off;
mod ours;

const SECRET: &str = "abcdefghijklmnopqrstuvwxyz012345";

fn site(directory: &Path) -> Site {
    site_in(directory, Some("ours"))
}

/// What is told about the Asterisk of a directory, with our directory or without.
fn site_in(directory: &Path, ours: Option<&str>) -> Site {
    let path = |name: &str| Some(directory.join(name).display().to_string().parse().unwrap());
    Site::survey(Wanted {
        asterisk_dir: directory.display().to_string().parse().unwrap(),
        config_dir: ours.and_then(path),
        log_file: path("log/ours"),
        modules_dir: path("modules"),
        group: Some(rustix::process::getegid().as_raw().to_string()),
        account: "switchyard".parse().unwrap(),
        owner: rustix::process::geteuid().as_raw(),
        tls: false,
    })
    .unwrap()
}

fn content(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), path.is_file().then(|| fs::read(path).unwrap())))
        .collect()
}

fn pieces(more: &'static [&'static str]) -> impl Strategy<Value = String> {
    let common = [
        "a=b",
        "c => d ; e",
        "[s]",
        "[t](!)",
        "; words",
        ";-- x --;",
        "#include nowhere.conf",
        "\u{feff}",
        " ",
        "",
    ];
    let all: Vec<&'static str> = common.into_iter().chain(more.iter().copied()).collect();
    let line = (
        prop::sample::select(all),
        prop::sample::select(vec!["\n", "\n", "\r\n", "\r"]),
    );
    (prop::collection::vec(line, 0..8), any::<bool>()).prop_map(|(lines, ended)| {
        let mut text = String::new();
        for (line, end) in lines {
            text.push_str(line);
            text.push_str(end);
        }
        if ended {
            text
        } else {
            text.trim_end_matches('\n').to_owned()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn what_is_put_in_is_in_place_and_taken_out_without_a_trace(
        pjsip in pieces(&["type=endpoint"]),
        extensions in pieces(&["exten => 1,1,Answer"]),
        voicemail in prop::option::of(pieces(&["1001 => 1234,Ann"])),
        logger in prop::option::of(pieces(&["[logfiles]", "console => error"])),
        manager in pieces(&["#include \"manager.d/*.conf\"", "[ann]", "secret = x"]),
        modules in pieces(&["load => x.so", "noload => app_voicemail_imap.so"]),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for folder in ["modules", "manager.d", "log"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for module in ["app_voicemail.so", "app_voicemail_odbc.so", "app_voicemail_imap.so"] {
            fs::write(at("modules").join(module), "").unwrap();
        }
        let files = [
            ("pjsip.conf", Some(pjsip)),
            ("extensions.conf", Some(extensions)),
            ("voicemail.conf", voicemail),
            ("logger.conf", logger),
            ("manager.conf", Some(format!("[general]\nenabled=yes\nbindaddr=127.0.0.1\n{manager}"))),
            ("modules.conf", Some(format!("[modules]\nautoload=yes\n{modules}"))),
        ];
        for (name, text) in &files {
            if let Some(text) = text {
                fs::write(at(name), text).unwrap();
            }
        }
        let before = content(directory.path());
        let site = site(directory.path());
        let secret = SecretString::from(SECRET);
        let plan = survey(&site, Aim::Install(&secret)).unwrap();
        prop_assert!(plan.parts.iter().all(|part| part.state != State::Blocked), "{:?}", plan.parts);
        drop(swap(plan.changes).unwrap());

        let again = survey(&site, Aim::Install(&secret)).unwrap();
        prop_assert!(again.changes.is_empty(), "{:?}", again.parts);
        prop_assert!(again.parts.iter().all(|part| part.state == State::InPlace), "{:?}", again.parts);
        let kept = kept_secret(&site).unwrap().unwrap();
        prop_assert_eq!(secrecy::ExposeSecret::expose_secret(&kept), SECRET);

        drop(swap(removal(&site, &[]).unwrap().changes).unwrap());
        prop_assert_eq!(content(directory.path()), before);
        prop_assert!(fs::read_dir(at("manager.d")).unwrap().next().is_none());
    }
}

#[test]
fn what_an_operator_wrote_behind_our_lines_stays() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("modules")).unwrap();
    for (name, text) in [
        ("pjsip.conf", "a=b"),
        ("manager.conf", "[general]\nenabled=yes\n"),
        ("modules.conf", "[modules]\n"),
    ] {
        fs::write(at(name), text).unwrap();
    }
    let site = site(directory.path());
    let secret = SecretString::from(SECRET);
    drop(swap(survey(&site, Aim::Install(&secret)).unwrap().changes).unwrap());
    for name in ["pjsip.conf", "logger.conf"] {
        let text = fs::read_to_string(at(name)).unwrap();
        fs::write(at(name), format!("{}\nmine => error\n", text.trim_end())).unwrap();
    }
    let found = survey(&site, Aim::Install(&secret)).unwrap();
    let pjsip = found
        .parts
        .iter()
        .find(|part| part.name == "include_pjsip")
        .unwrap();
    assert_eq!(pjsip.state, State::Doubtful, "{pjsip:?}");
    drop(swap(removal(&site, &[]).unwrap().changes).unwrap());
    assert_eq!(
        fs::read_to_string(at("pjsip.conf")).unwrap(),
        "a=b\nmine => error\n"
    );
    let logger = fs::read_to_string(at("logger.conf")).unwrap();
    assert!(
        logger.starts_with("[logfiles]") && logger.ends_with("\nmine => error\n"),
        "{logger}"
    );
    assert!(
        at("pjsip.conf.before-switchyard").exists(),
        "the file is not as it was"
    );
}

/// An Asterisk where every part has something to do.
fn plain() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for folder in ["modules", "manager.d"] {
        fs::create_dir(at(folder)).unwrap();
    }
    for (name, text) in [
        ("modules/app_voicemail.so", ""),
        ("modules/app_voicemail_odbc.so", ""),
        ("pjsip.conf", "[mine]\ntype=endpoint\n"),
        ("extensions.conf", "[mine]\n"),
        (
            "manager.conf",
            "[general]\nenabled=yes\nbindaddr=127.0.0.1\n#include \"manager.d/*.conf\"\n",
        ),
        ("modules.conf", "[modules]\nautoload=yes\n"),
    ] {
        fs::write(at(name), text).unwrap();
    }
    directory
}

/// With what is in the directory of the accounts.
fn whole(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = content(directory);
    all.extend(content(&directory.join("manager.d")));
    all
}

fn put_in(site: &Site) {
    let _held = hold(site).unwrap();
    let secret = kept_secret(site).unwrap().unwrap_or_else(|| SECRET.into());
    drop(swap(survey(site, Aim::Install(&secret)).unwrap().changes).unwrap());
    let parts = survey(site, Aim::Tell(Some(&secret))).unwrap().parts;
    assert!(parts.iter().all(|part| part.state == State::InPlace), "{parts:?}");
}

fn take_out(site: &Site) {
    let _held = hold(site).unwrap();
    drop(swap(removal(site, &[]).unwrap().changes).unwrap());
}

#[test]
fn call_records_that_are_off_as_shipped_are_on_after_an_installation_and_off_again_after_its_removal() {
    for (off, on) in [
        (
            "[general]\nenabled = no\n\n;[mappings]\n",
            "[general]\nenabled = no\nenabled = yes ; by switchyard pbx install\n\n;[mappings]\n",
        ),
        (
            "[general]\nEnabled=no\nenabled => off\n[mappings]\nlinkedid => Call\nrate => Rate\n",
            "[general]\nEnabled=no\nenabled => off\nenabled = yes ; by switchyard pbx install\n[mappings]\n",
        ),
        (
            "[mappings]\nrate => Rate\n[general]\nenabled = no",
            "[mappings]\n",
        ),
    ] {
        let directory = plain();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("cdr_manager.conf"), off).unwrap();
        let site = site(directory.path());
        put_in(&site);
        let after = fs::read_to_string(at("cdr_manager.conf")).unwrap();
        assert!(after.starts_with(on), "{after}");
        let all = sections(directory.path(), "cdr_manager.conf").unwrap();
        assert_eq!(value(&all, "general", "enabled"), Some("yes"), "{after}");
        for (field, name) in MAPPINGS {
            assert_eq!(value(&all, "mappings", field), Some(name), "{after}");
        }
        let secret = SecretString::from(SECRET);
        let found = survey(&site, Aim::Install(&secret)).unwrap();
        let part = found
            .parts
            .iter()
            .find(|part| part.name == "call_records")
            .unwrap();
        assert_eq!(part.state, State::InPlace, "{part:?}");
        take_out(&site);
        assert_eq!(fs::read_to_string(at("cdr_manager.conf")).unwrap(), off);
    }
}

#[test]
fn call_records_that_are_off_again_behind_our_line_are_named_and_nothing_is_put_in_twice() {
    let directory = plain();
    let at = |name: &str| directory.path().join(name);
    fs::write(
        at("cdr_manager.conf"),
        "[general]\nenabled=yes\n#include mine.conf\n",
    )
    .unwrap();
    fs::write(at("mine.conf"), "enabled=no\n").unwrap();
    let site = site(directory.path());
    let secret = SecretString::from(SECRET);
    let found = || survey(&site, Aim::Install(&secret)).unwrap();
    drop(swap(found().changes).unwrap());
    let once = content(directory.path());
    let part = found()
        .parts
        .into_iter()
        .find(|part| part.name == "call_records")
        .unwrap();
    assert_eq!(part.state, State::Doubtful, "{part:?}");
    assert!(part.mend.unwrap().contains("[general]"));
    drop(swap(found().changes).unwrap());
    assert_eq!(content(directory.path()), once);

    // The operator's own word, said since.
    fs::write(at("mine.conf"), "").unwrap();
    let ours = fs::read_to_string(at("cdr_manager.conf")).unwrap();
    let ours = ours.replace("#include mine.conf\n", "enabled = no\n");
    fs::write(at("cdr_manager.conf"), &ours).unwrap();
    let parts = found().parts;
    let part = parts.iter().find(|part| part.name == "call_records").unwrap();
    assert_eq!(part.state, State::Doubtful, "{part:?}");
    drop(swap(found().changes).unwrap());
    assert_eq!(fs::read_to_string(at("cdr_manager.conf")).unwrap(), ours);
}
