//! What is found below a directory, and what is not reached by it.

use super::*;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use std::fs::{self, Permissions};
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(20);

fn spool() -> (TempDir, Spool) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("spool");
    fs::create_dir_all(root.join("acme.example.com/archive/2026/Nov")).unwrap();
    fs::create_dir_all(root.join("globex.example.com")).unwrap();
    fs::write(root.join("acme.example.com/1.0.wav"), "sound").unwrap();
    fs::write(root.join("acme.example.com/archive/2026/Nov/9.0.mp3"), "old").unwrap();
    fs::write(root.join("globex.example.com/2.0.wav"), "theirs").unwrap();
    fs::write(directory.path().join("secret.wav"), "secret").unwrap();
    let root = root.display().to_string().parse().unwrap();
    (directory, Spool::new(root, PbxKind::Asterisk))
}

fn path(text: &str) -> RecordingPath {
    text.parse().unwrap()
}

/// All that a walk tells, in the order of names, and what it came to.
async fn walked(spool: &Spool, domains: &[&SipDomain]) -> (Vec<String>, Seen) {
    let mut walk = spool.walk(domains.iter().copied().cloned().collect()).unwrap();
    let mut paths = Vec::new();
    while let Some(portion) = walk.next().await {
        paths.extend(portion.iter().map(|found| found.path.to_string()));
    }
    paths.sort();
    (paths, walk.end().await.unwrap())
}

async fn found(spool: &Spool, domain: &str) -> Vec<String> {
    walked(spool, &[&domain.parse().unwrap()]).await.0
}

#[tokio::test]
async fn a12_recordings_of_a_domain_are_found_and_nobody_elses() {
    let (_directory, spool) = spool();
    assert_eq!(
        found(&spool, "acme.example.com").await,
        [
            "acme.example.com/1.0.wav",
            "acme.example.com/archive/2026/Nov/9.0.mp3"
        ]
    );
    assert!(found(&spool, "example.com").await.is_empty());
    let (_, metadata) = spool.open(&path("acme.example.com/1.0.wav"), LONG).await.unwrap();
    assert_eq!(metadata.len(), 5);
}

#[tokio::test]
async fn a12_no_link_is_followed_whatever_it_leads_to() {
    let (directory, spool) = spool();
    let own = directory.path().join("spool/acme.example.com");
    let theirs = directory.path().join("spool/globex.example.com");
    symlink(directory.path().join("secret.wav"), own.join("3.0.wav")).unwrap();
    symlink(&theirs, own.join("sub")).unwrap();
    symlink(&theirs, directory.path().join("spool/evil.example.com")).unwrap();
    fs::hard_link(directory.path().join("secret.wav"), own.join("4.0.wav")).unwrap();
    assert_eq!(found(&spool, "acme.example.com").await.len(), 2);
    assert!(found(&spool, "evil.example.com").await.is_empty());
    for text in [
        "acme.example.com/3.0.wav",
        "acme.example.com/4.0.wav",
        "acme.example.com/sub/2.0.wav",
        "evil.example.com/2.0.wav",
    ] {
        assert!(spool.open(&path(text), LONG).await.is_err(), "{text}");
    }
    assert!(
        spool
            .remove(&path("acme.example.com/sub/2.0.wav"), LONG)
            .await
            .is_err()
    );
    assert!(theirs.join("2.0.wav").exists());
    // A link goes itself, never what it leads to.
    assert!(
        spool
            .remove(&path("acme.example.com/3.0.wav"), LONG)
            .await
            .unwrap()
    );
    assert!(directory.path().join("secret.wav").exists());
}

#[tokio::test]
async fn a13_a_removed_recording_is_gone_and_removing_it_again_is_no_error() {
    let (directory, spool) = spool();
    let one = path("acme.example.com/1.0.wav");
    assert!(spool.remove(&one, LONG).await.unwrap());
    assert!(!directory.path().join("spool/acme.example.com/1.0.wav").exists());
    assert!(!spool.remove(&one, LONG).await.unwrap());
    let domain: SipDomain = "acme.example.com".parse().unwrap();
    spool.tidy(&domain).await.unwrap();
    assert!(
        directory
            .path()
            .join("spool/acme.example.com/archive/2026/Nov/9.0.mp3")
            .exists()
    );
    spool
        .remove(&path("acme.example.com/archive/2026/Nov/9.0.mp3"), LONG)
        .await
        .unwrap();
    spool.tidy(&domain).await.unwrap();
    assert!(!directory.path().join("spool/acme.example.com").exists());
    assert!(directory.path().join("spool/globex.example.com/2.0.wav").exists());
}

#[tokio::test]
async fn a12_a_greeting_is_no_recording() {
    let (directory, spool) = spool();
    let own = directory.path().join("spool/acme.example.com");
    fs::write(own.join("welcome.wav"), "welcome").unwrap();
    assert_eq!(found(&spool, "acme.example.com").await.len(), 2);
}

#[tokio::test]
async fn a22_whether_a_domain_has_a_directory_is_told_of_no_link_and_no_file() {
    let (directory, spool) = spool();
    let root = directory.path().join("spool");
    symlink(directory.path(), root.join("link.example.com")).unwrap();
    fs::write(root.join("file.example.com"), "").unwrap();
    let holds = async |domains: &[&str]| {
        let domains = domains.iter().map(|domain| domain.parse().unwrap());
        spool.holds_any(domains.collect(), LONG).await.unwrap()
    };
    assert!(holds(&["none.example.com", "acme.example.com"]).await);
    assert!(!holds(&["none.example.com", "link.example.com", "file.example.com"]).await);
    fs::rename(&root, directory.path().join("unmounted")).unwrap();
    assert!(!holds(&["acme.example.com"]).await);
}

#[tokio::test]
async fn a13_a_disk_that_is_not_there_is_none_without_recordings() {
    let (directory, spool) = spool();
    let domain: SipDomain = "acme.example.com".parse().unwrap();
    assert!(walked(&spool, &[&domain]).await.1.unseen.is_empty());
    let root = directory.path().join("spool");
    fs::rename(&root, directory.path().join("unmounted")).unwrap();
    for is_made in [false, true] {
        if is_made {
            fs::create_dir(&root).unwrap();
        }
        let (_, seen) = walked(&spool, &[&domain]).await;
        assert!(seen.there.is_empty());
        assert_eq!(matches!(seen.unseen[..], [Unseen::Nothing]), !is_made, "{seen:?}");
        assert!(
            spool
                .remove(&path("acme.example.com/1.0.wav"), LONG)
                .await
                .is_err()
        );
        spool.tidy(&domain).await.unwrap();
    }
    // Something is there, of which it depends on who asks whether that is theirs.
    fs::create_dir(root.join("globex.example.com")).unwrap();
    let other: SipDomain = "globex.example.com".parse().unwrap();
    let (_, seen) = walked(&spool, &[&domain, &other]).await;
    assert_eq!(seen.there.into_iter().collect::<Vec<_>>(), [other]);
    assert!(
        !spool
            .remove(&path("acme.example.com/1.0.wav"), LONG)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a13_what_is_beyond_the_most_files_is_said_to_be_unseen() {
    let (_directory, spool) = spool();
    let domain = "acme.example.com".parse().unwrap();
    let fewer = Spool {
        most: 1,
        ..spool.clone()
    };
    let (paths, seen) = walked(&fewer, &[&domain]).await;
    let unseen = seen.unseen;
    assert_eq!(paths.len(), 1);
    assert!(matches!(unseen[..], [Unseen::Rest]), "{unseen:?}");
    let just_as_many = Spool { most: 2, ..spool };
    let (paths, seen) = walked(&just_as_many, &[&domain]).await;
    assert_eq!((paths.len(), seen.unseen.len()), (2, 0), "{seen:?}");
}

#[tokio::test]
async fn a12_a_large_directory_is_told_in_portions_and_whole() {
    let (directory, spool) = spool();
    let own = directory.path().join("spool/acme.example.com");
    for number in 10..2_500 {
        fs::write(own.join(format!("{number}.0.wav")), "").unwrap();
    }
    let mut walk = spool.walk(vec!["acme.example.com".parse().unwrap()]).unwrap();
    let mut lengths = Vec::new();
    while let Some(portion) = walk.next().await {
        lengths.push(portion.len());
    }
    assert_eq!(lengths, [1_000, 1_000, 492]);
    assert!(walk.end().await.unwrap().unseen.is_empty());
}

#[tokio::test]
async fn a46_a_walk_that_nobody_listens_to_ends_and_until_then_there_is_no_other_one() {
    let (directory, spool) = spool();
    let own = directory.path().join("spool/acme.example.com");
    for number in 10..4_500 {
        fs::write(own.join(format!("{number}.0.wav")), "").unwrap();
    }
    let acme = || vec!["acme.example.com".parse().unwrap()];
    let Walk {
        portions, walking, ..
    } = spool.walk(acme()).unwrap();
    // It gets no further, as where the disk hangs.
    for _ in 0..1_000 {
        if spool.walk(acme()).is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refused = spool.walk(acme()).unwrap_err();
    assert_eq!(
        refused.kind(),
        io::ErrorKind::TimedOut,
        "one more thread would wait"
    );
    drop(portions);
    let unseen = walking.await.unwrap().unwrap().unseen;
    assert!(matches!(unseen[..], [Unseen::Rest]), "{unseen:?}");
    assert_eq!(walked(&spool, &[&acme()[0]]).await.0.len(), 4_492);
}

/// Runs this as somebody whom a file's mode keeps out, also where that is root.
pub(in crate::driver) fn without_rights<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let run = move || {
        let none = CapabilitySet::empty();
        let sets = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        set_capabilities(None, sets).unwrap();
        work()
    };
    std::thread::spawn(run).join().unwrap()
}

#[test]
fn a13_a_directory_that_cannot_be_read_keeps_none_of_the_others() {
    let (directory, spool) = spool();
    let theirs = directory.path().join("spool/globex.example.com");
    fs::set_permissions(&theirs, Permissions::from_mode(0o000)).unwrap();
    without_rights(move || {
        let [acme, globex]: [SipDomain; 2] =
            ["acme.example.com", "globex.example.com"].map(|domain| domain.parse().unwrap());
        let mut told = 0;
        let unseen = spool.search(&[acme.clone(), globex.clone()], &|| false, &mut |_| {
            told += 1;
            ControlFlow::Continue(())
        });
        let unseen = unseen.unwrap().unseen;
        assert_eq!(told, 2);
        assert!(matches!(unseen[..], [Unseen::Directory { .. }]), "{unseen:?}");
        assert!(unseen[0].is_of(&globex) && !unseen[0].is_of(&acme));
    });
    fs::set_permissions(&theirs, Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a22_a_walk_that_nobody_listens_to_ends_also_where_there_is_no_recording() {
    let (directory, spool) = spool();
    let acme = directory.path().join("spool/acme.example.com");
    fs::remove_dir_all(&acme).unwrap();
    fs::create_dir_all(acme.join("notes/older")).unwrap();
    for count in 0..10 {
        fs::write(acme.join(format!("notes/{count}.txt")), "").unwrap();
    }
    let asked = std::cell::Cell::new(0);
    let has_enough = || {
        asked.set(asked.get() + 1);
        asked.get() > 5
    };
    let domains = ["acme.example.com".parse().unwrap()];
    let told_none = &mut |_| panic!("there is none");
    let seen = spool.search(&domains, &has_enough, told_none).unwrap();
    assert!(matches!(seen.unseen[..], [Unseen::Rest]), "{:?}", seen.unseen);
    assert_eq!(asked.get(), 6);
}

#[tokio::test]
async fn a22_a_directory_is_known_again_by_a_file_that_no_link_and_no_copy_stands_for() {
    let (directory, spool) = spool();
    let root = directory.path().join("spool");
    let there = async || spool.landmark(LONG).await.unwrap().unwrap();
    let place = there().await;
    assert!(!place.is_file());
    let secret = directory.path().join("secret.wav");
    symlink(&secret, root.join(LANDMARK)).unwrap();
    assert_eq!(there().await, place);
    assert!(spool.make_landmark("one", LONG).await.is_err());
    assert!(spool.refresh_landmark(LONG).await.is_err());
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    fs::remove_file(root.join(LANDMARK)).unwrap();
    let made = spool.make_landmark("one", LONG).await.unwrap();
    assert!(made.is_file() && !made.is_operators() && made.kept() != place.kept());
    assert_eq!(there().await, made);
    // Whoever made it may have been killed before it was kept.
    assert!(made.is_kept(&place.kept()) && made.is_kept(&made.kept()) && !made.is_kept("none"));
    assert!(spool.make_landmark("two", LONG).await.is_err());
    let (paths, seen) = walked(&spool, &[&"acme.example.com".parse().unwrap()]).await;
    assert_eq!((paths.len(), seen.landmark.as_ref()), (2, Some(&made)));
    // A copy, which has the same text.
    fs::copy(root.join(LANDMARK), root.join("copy")).unwrap();
    fs::rename(root.join("copy"), root.join(LANDMARK)).unwrap();
    assert_ne!(there().await.kept(), made.kept());
    // An operator's is written into: no other one says so.
    fs::write(root.join(LANDMARK), "").unwrap();
    assert!(there().await.is_operators());
    assert!(!spool.make_landmark("two", LONG).await.unwrap().is_operators());
    for text in ["x".repeat(1_001), "By this file\0\0".to_owned()] {
        fs::write(root.join(LANDMARK), text).unwrap();
        assert_eq!(there().await, place);
    }
    fs::rename(&root, directory.path().join("unmounted")).unwrap();
    assert_eq!(spool.landmark(LONG).await.unwrap(), None);
}

#[test]
fn a22_a_file_that_the_service_may_not_read_is_none() {
    let (directory, spool) = spool();
    let file = directory.path().join("spool").join(LANDMARK);
    fs::write(&file, "text").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    without_rights(move || {
        let opened = spool.root().unwrap();
        assert!(!Landmark::of(&opened).unwrap().is_file());
    });
    fs::remove_file(&file).unwrap();
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    let root = File::open(directory.path().join("spool")).unwrap();
    without_rights(move || assert!(Landmark::of(&root).unwrap().is_operators()));
}

/// `find -mtime +90 -delete` leaves it.
#[tokio::test]
async fn a22_what_a_directory_is_known_by_is_written_to_once_a_day() {
    let (directory, spool) = spool();
    spool.make_landmark("one", LONG).await.unwrap();
    let path = directory.path().join("spool").join(LANDMARK);
    let age = || {
        fs::metadata(&path)
            .unwrap()
            .modified()
            .unwrap()
            .elapsed()
            .unwrap()
    };
    let hour = Duration::from_hours(1);
    for (hours, is_renewed) in [(23, false), (25, true)] {
        let file = File::options().write(true).open(&path).unwrap();
        let new = file.metadata().unwrap().modified().unwrap();
        file.set_modified(new - hours * hour).unwrap();
        spool.refresh_landmark(LONG).await.unwrap();
        assert_eq!(age() < hour, is_renewed, "{hours}");
    }
}
