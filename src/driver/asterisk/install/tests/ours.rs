//! What is ours, among what is the operator's and other instances'.

use super::*;

#[test]
fn what_leads_to_another_instance_stays() {
    let directory = plain();
    let (ours, theirs) = (site(directory.path()), site_in(directory.path(), Some("theirs")));
    put_in(&theirs);
    let before = content(directory.path());
    let others = [theirs.config_dir.clone()];
    assert!(leads_to(&ours, &others[0]).unwrap() && !leads_to(&ours, &ours.config_dir).unwrap());
    let plan = removal(&ours, &others).unwrap();
    drop(swap(plan.changes).unwrap());
    let after = content(directory.path());
    for name in ["pjsip.conf", "extensions.conf", "voicemail.conf", "theirs"] {
        let path = directory.path().join(name);
        assert!(after.get(&path) == before.get(&path), "{name}");
    }
    // Nobody claims it any more.
    take_out(&ours);
    assert!(!directory.path().join("theirs").exists());
}

#[test]
fn an_edit_between_two_installs_has_a_copy_of_its_own_and_both_go_when_they_say_no_more() {
    let directory = plain();
    let at = |name: &str| directory.path().join(name);
    let site = site(directory.path());
    put_in(&site);
    // The operator takes our line out with an edit of his, and puts another module in.
    fs::write(at("pjsip.conf"), "[mine]\ntype=aor\n").unwrap();
    fs::write(at("modules/app_voicemail_imap.so"), "").unwrap();
    put_in(&site);
    let copy = |name: &str| fs::read_to_string(at(name)).unwrap();
    assert_eq!(copy("pjsip.conf.before-switchyard"), "[mine]\ntype=endpoint\n");
    assert_eq!(copy("pjsip.conf.before-switchyard.2"), "[mine]\ntype=aor\n");
    assert!(copy("modules.conf.before-switchyard.2").contains("noload => app_voicemail_odbc.so"));
    take_out(&site);
    assert_eq!(copy("pjsip.conf"), "[mine]\ntype=aor\n");
    assert_eq!(copy("modules.conf"), "[modules]\nautoload=yes\n");
    let mut copies: Vec<String> = content(directory.path())
        .into_keys()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name.contains("before-switchyard"))
        .collect();
    copies.sort();
    assert_eq!(
        copies,
        ["pjsip.conf.before-switchyard"],
        "what is nowhere else stays"
    );
}

#[test]
fn what_was_deployed_gets_the_group_that_is_corrected() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let directory = plain();
    let site = site(directory.path());
    put_in(&site);
    let ours = directory.path().join("ours");
    for folder in ["generations", "generations/1", "generations/2"] {
        fs::create_dir(ours.join(folder)).unwrap();
    }
    fs::write(ours.join("generations/1/pjsip.conf"), "x").unwrap();
    fs::hard_link(
        ours.join("generations/1/pjsip.conf"),
        ours.join("generations/2/pjsip.conf"),
    )
    .unwrap();
    fs::write(ours.join("generations/2/extensions.conf"), "y").unwrap();
    symlink("generations/2", ours.join("live")).unwrap();
    symlink(
        directory.path().join("pjsip.conf"),
        ours.join("generations/2/link"),
    )
    .unwrap();
    let groups = || {
        let all = [
            "",
            "generations",
            "generations/1",
            "generations/2",
            "generations/1/pjsip.conf",
        ];
        let all = all
            .into_iter()
            .chain(["generations/2/pjsip.conf", "generations/2/extensions.conf"]);
        let mut found: Vec<u32> = all
            .map(|path| fs::metadata(ours.join(path)).unwrap().gid())
            .collect();
        found.dedup();
        found
    };
    // Root may give a file to any group, others only to one that they are in.
    let mine = rustix::process::getgroups()
        .unwrap()
        .into_iter()
        .map(rustix::process::Gid::as_raw);
    let root = rustix::process::geteuid().is_root();
    let other = mine.filter(|_| !root).find(|group| *group != site.group);
    let may = root || other.is_some();
    let other = other.unwrap_or(65534);
    let corrected = Site { group: other, ..site };
    let before = fs::metadata(directory.path().join("pjsip.conf")).unwrap().gid();
    let plan = survey(&corrected, Aim::Install(&SECRET.into())).unwrap();
    let swapped = match swap(plan.changes) {
        Ok(swapped) if may => swapped,
        Err(refused) if !may => {
            assert!(refused.left.is_empty(), "{refused}");
            assert_eq!(groups(), [before]);
            return;
        }
        Ok(_) => panic!("the group is not this user's to give"),
        Err(refused) => panic!("{refused}"),
    };
    assert_eq!(groups(), [other]);
    assert_eq!(fs::metadata(&ours).unwrap().permissions().mode() & 0o7777, 0o2750);
    assert_eq!(
        fs::metadata(directory.path().join("pjsip.conf")).unwrap().gid(),
        before,
        "no link is followed"
    );
    assert_eq!(swapped.undo(), Vec::<String>::new());
    assert_eq!(groups(), [before]);
    put_in(&corrected);
    assert_eq!(groups(), [other]);
}
