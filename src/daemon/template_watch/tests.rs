//! Each way in which a directory of templates is edited.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Instant;

use futures_util::FutureExt as _;
use tempfile::TempDir;

use super::*;

/// Far longer than it should take.
const LONG: Duration = Duration::from_secs(20);

/// A directory of templates that is watched.
struct Bench {
    folder: TempDir,
    source: TemplateSource,
}

impl Bench {
    /// With one template of the operator's.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self {
            source: TemplateSource::new(Some(folder.path().join("templates"))),
            folder,
        };
        bench.write("templates", "; first\n");
        bench
            .source
            .hold(templates::read(bench.source.overrides()).unwrap());
        bench
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, directory: &str, voicemail: &str) {
        let folder = self.at(directory).join("asterisk");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("voicemail.conf"), voicemail).unwrap();
    }

    /// What is held of the operator's own.
    fn held(&self) -> String {
        let held = self.source.current().now_or_never();
        held.unwrap().unwrap().files()["asterisk/voicemail.conf"].clone()
    }

    /// Watches while `edits` goes on, from what was read already.
    async fn while_watched(&self, edits: impl Future<Output = ()>) {
        let directory = self.at("templates");
        let seen = Some(look(&directory).await);
        let (stop, wake) = (CancellationToken::new(), Wake::new(&directory));
        tokio::select! {
            () = watch(&self.source, &directory, wake, seen, &stop) => panic!("it ended"),
            () = edits => {}
        }
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) -> Duration {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < LONG, "it did not come about that {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }

    async fn until_held(&self, text: &str) -> Duration {
        self.until(&format!("{text:?} is held"), || self.held() == text)
            .await
    }

    async fn until_refused(&self) {
        self.until("it is refused", || self.source.refused().is_some())
            .await;
    }
}

#[tokio::test]
async fn a_file_that_is_written_anew_or_renamed_over_is_read() {
    let bench = Bench::new();
    bench
        .while_watched(async {
            bench.write("templates", "; written\n");
            let took = bench.until_held("; written\n").await;
            assert!(took >= QUIET, "{took:?}");
            assert!(took < wake::SELDOM, "only the clock noticed it: {took:?}");
            let (fresh, file) = (bench.at("fresh"), bench.at("templates/asterisk/voicemail.conf"));
            fs::write(&fresh, "; renamed\n").unwrap();
            fs::rename(fresh, file).unwrap();
            bench.until_held("; renamed\n").await;
        })
        .await;
}

#[tokio::test]
async fn a_broken_one_is_refused_by_name_and_the_last_good_one_stays() {
    let bench = Bench::new();
    bench
        .while_watched(async {
            bench.write("templates", "{{ tenant.nmae }}\n");
            bench.until_refused().await;
            assert_eq!(bench.held(), "; first\n");
            let said = bench.source.refused().unwrap().message;
            assert!(said.contains("asterisk/voicemail.conf"), "{said}");
            bench.write("templates", "; mended\n");
            bench.until_held("; mended\n").await;
            assert_eq!(bench.source.refused(), None);
        })
        .await;
}

/// Two files that belong together are written one after the other; in between the set is broken.
#[tokio::test]
async fn an_edit_in_several_steps_is_one_edit() {
    let bench = Bench::new();
    bench
        .while_watched(async {
            for step in 0..5 {
                bench.write("templates", &format!("{{% if {step} \n"));
                tokio::time::sleep(QUIET / 3).await;
                assert_eq!(bench.source.refused(), None, "in step {step}");
            }
            bench.write("templates", "; whole\n");
            let refused = || bench.source.refused().is_some();
            bench
                .until("it is read", || refused() || bench.held() == "; whole\n")
                .await;
            assert!(!refused());
        })
        .await;
}

#[tokio::test]
async fn a_directory_that_goes_and_comes_back_is_read_again() {
    let bench = Bench::new();
    bench
        .while_watched(async {
            fs::rename(bench.at("templates"), bench.at("away")).unwrap();
            bench.until_refused().await;
            assert_eq!(bench.held(), "; first\n");
            bench.write("away", "; back\n");
            fs::rename(bench.at("away"), bench.at("templates")).unwrap();
            let took = bench.until_held("; back\n").await;
            assert!(took < wake::SELDOM, "only the clock noticed it: {took:?}");
            // The directory that stands there now is watched, not the one that did.
            bench.write("templates", "; again\n");
            let took = bench.until_held("; again\n").await;
            assert!(took < wake::SELDOM, "only the clock noticed it: {took:?}");
        })
        .await;
}

/// As tools do that manage configurations: the whole directory is a link.
#[tokio::test]
async fn a_linked_directory_is_swapped() {
    let bench = Bench::new();
    fs::rename(bench.at("templates"), bench.at("release-1")).unwrap();
    symlink("release-1", bench.at("templates")).unwrap();
    bench
        .while_watched(async {
            for release in ["release-2", "release-3"] {
                let text = format!("; {release}\n");
                bench.write(release, &text);
                symlink(release, bench.at("fresh")).unwrap();
                fs::rename(bench.at("fresh"), bench.at("templates")).unwrap();
                let took = bench.until_held(&text).await;
                assert!(took < wake::SELDOM, "only the clock noticed it: {took:?}");
            }
        })
        .await;
}

/// As Kubernetes does with a mounted map: what stands in the directory are links through `..data`.
#[tokio::test]
async fn a_linked_content_is_swapped() {
    let bench = Bench::new();
    let directory = bench.at("templates");
    fs::rename(directory.join("asterisk"), bench.at("first")).unwrap();
    fs::create_dir(directory.join("..1")).unwrap();
    fs::rename(bench.at("first"), directory.join("..1/asterisk")).unwrap();
    symlink("..1", directory.join("..data")).unwrap();
    symlink("..data/asterisk", directory.join("asterisk")).unwrap();
    assert_eq!(bench.held(), "; first\n");
    bench
        .while_watched(async {
            bench.write("templates/..2", "; second\n");
            symlink("..2", directory.join("..fresh")).unwrap();
            fs::rename(directory.join("..fresh"), directory.join("..data")).unwrap();
            bench.until_held("; second\n").await;
        })
        .await;
}

#[tokio::test]
async fn without_inotify_the_clock_notices() {
    let bench = Bench::new();
    let directory = bench.at("templates");
    let seen = Some(look(&directory).await);
    let stop = CancellationToken::new();
    let edits = async {
        // The first look is over.
        tokio::time::sleep(QUIET).await;
        bench.write("templates", "; polled\n");
        let took = bench.until_held("; polled\n").await;
        assert!(took > QUIET * 2, "something told it: {took:?}");
    };
    tokio::select! {
        () = watch(&bench.source, &directory, Wake::blind(&directory), seen, &stop) => panic!("it ended"),
        () = edits => {}
    }
}

#[tokio::test]
async fn what_an_editor_leaves_beside_is_no_edit() {
    let bench = Bench::new();
    let directory = bench.at("templates");
    let before = look(&directory).await;
    fs::write(directory.join("asterisk/.voicemail.conf.swp"), "x").unwrap();
    fs::write(directory.join("asterisk/voicemail.conf~"), "x").unwrap();
    assert_eq!(look(&directory).await, before);
    // Same size, same name.
    bench.write("templates", "; other\n");
    assert_ne!(look(&directory).await, before);
}

#[tokio::test]
async fn it_ends_at_the_soft_stop() {
    let bench = Bench::new();
    let directory = bench.at("templates");
    let stop = CancellationToken::new();
    stop.cancel();
    let watched = watch(&bench.source, &directory, Wake::new(&directory), None, &stop);
    tokio::time::timeout(LONG, watched).await.unwrap();
}
