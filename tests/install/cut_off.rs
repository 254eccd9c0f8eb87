//! `pbx install` that is cut off while it waits for the database: by a signal, by a kill, and with somebody at the files.

use std::fs;
use std::process::{Child, Stdio};

use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::host::{Ended, Host};
use super::own::Own;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::wait::until;

/// While it is there, whoever wants to write into the database waits.
enum Hold {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Hold {
    async fn on(own: &Own) -> Self {
        let command = own.host.command(&[]);
        let (_, url) = command
            .get_envs()
            .find(|(name, _)| *name == "SWITCHYARD_DATABASE_URL")
            .unwrap();
        let url = url.unwrap().to_str().unwrap();
        if url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(url).await.unwrap();
            sqlx::raw_sql("begin immediate")
                .execute(&mut connection)
                .await
                .unwrap();
            return Self::Sqlite(connection);
        }
        let mut connection = PgConnection::connect(url).await.unwrap();
        let lock = "begin; lock table instances in exclusive mode";
        sqlx::raw_sql(lock).execute(&mut connection).await.unwrap();
        Self::Postgres(connection)
    }

    async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

fn own(backend: Backend) -> Own {
    match backend {
        Sqlite => Own::stock(),
        Postgres => Own::stock_on(Host::on_postgres()),
    }
}

/// An install whose files are in, and that waits for the database.
async fn waiting(own: &Own) -> Child {
    let words = own.install(&[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = own.host.command(&words);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Our directory is made last.
    until("the files are in", || own.etc("switchyard").exists()).await;
    child
}

fn end(child: Child, signal: Signal) -> Ended {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    child.wait_with_output().unwrap().into()
}

fn remove(own: &Own, name: &str) -> Ended {
    let asterisk = own.etc("").display().to_string();
    own.host
        .run(&["pbx", "remove", name, "--asterisk-dir", &asterisk])
}

fn instances(own: &Own) -> usize {
    own.host.json(&["instance", "list"])["data"]
        .as_array()
        .unwrap()
        .len()
}

#[rstest]
#[tokio::test]
async fn a_signal_puts_every_file_back(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Signal::INT, Signal::TERM, Signal::HUP)] signal: Signal,
) {
    let own = own(backend);
    let before = own.content();
    let hold = Hold::on(&own).await;
    let ended = end(waiting(&own).await, signal);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
    for words in [
        "interrupted",
        "every file is as it was",
        "switchyard instance list",
    ] {
        assert!(ended.err.contains(words), "{words}: {ended:?}");
    }
    assert!(own.content() == before, "something was left");
    hold.release().await;
    assert_eq!(instances(&own), 0);
    let again = own.run(&own.install(&[]));
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(instances(&own), 1);
}

#[rstest]
#[tokio::test]
async fn after_a_kill_the_next_install_ends_it_and_says_what_asterisk_has_to_be_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let own = own(backend);
    let hold = Hold::on(&own).await;
    assert_eq!(end(waiting(&own).await, Signal::KILL).code, -1);
    hold.release().await;
    assert_eq!(instances(&own), 0);
    let left = own.everything();
    let again = own.run(&own.install(&[]));
    assert_eq!((again.code, again.err.as_str()), (0, ""), "{again:?}");
    assert!(own.everything() == left, "all was in place");
    // Nobody knows whether it was told before.
    for words in [
        "'manager reload'",
        "'logger reload'",
        "has to be restarted",
        "pbx1 is added",
    ] {
        assert!(again.out.contains(words), "{words}: {again:?}");
    }
    assert_eq!(instances(&own), 1);
    let known = own.run(&own.install(&[]));
    assert!(known.code == 0 && !known.out.contains("reload"), "{known:?}");
}

#[rstest]
#[tokio::test]
async fn after_a_kill_a_removal_takes_out_what_nobody_knows_of(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("switchyard", "elsewhere")] directory: &str,
) {
    let own = own(backend);
    let before = own.content();
    let ours = own.etc(directory);
    let hold = Hold::on(&own).await;
    let child = {
        let ours = ours.display().to_string();
        let words = own.install(&["--config-dir", &ours]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        own.host.command(&words).stdout(Stdio::null()).spawn().unwrap()
    };
    until("the files are in", || ours.exists()).await;
    end(child, Signal::KILL);
    hold.release().await;
    assert_eq!(instances(&own), 0);
    assert!(own.content() != before);
    let removed = remove(&own, "pbx1");
    assert_eq!((removed.code, removed.err.as_str()), (0, ""), "{removed:?}");
    assert!(removed.out.contains("an install had been cut off"), "{removed:?}");
    assert!(own.content() == before, "something was left");
    let again = remove(&own, "pbx1");
    assert_eq!((again.code, again.out.as_str()), (3, ""), "{again:?}");
}

#[test]
fn a_removal_by_a_wrong_name_leaves_what_an_instance_has() {
    let own = Own::stock();
    let installed = own.run(&own.install(&[]));
    assert_eq!(installed.code, 0, "{installed:?}");
    let before = own.content();
    let refused = remove(&own, "pbx2");
    assert_eq!((refused.code, refused.out.as_str()), (5, ""), "{refused:?}");
    assert!(refused.err.contains("switchyard pbx remove pbx1"), "{refused:?}");
    assert!(own.content() == before, "something was touched");
}

#[tokio::test]
async fn what_the_operator_edits_meanwhile_is_not_written_over() {
    let own = Own::stock();
    let before = own.content();
    let hold = Hold::on(&own).await;
    let child = waiting(&own).await;
    own.edit("extensions.conf", |text| {
        text.replacen("[general]", "[mine]\n[general]", 1)
    });
    let edited = fs::read_to_string(own.etc("extensions.conf")).unwrap();
    let ended = end(child, Signal::TERM);
    hold.release().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    for words in [
        "could not be put back",
        "extensions.conf: somebody changed it",
        "extensions.conf.before-switchyard",
    ] {
        assert!(ended.err.contains(words), "{words}: {ended:?}");
    }
    assert_eq!(fs::read_to_string(own.etc("extensions.conf")).unwrap(), edited);
    assert_eq!(
        fs::read(own.etc("extensions.conf.before-switchyard")).ok(),
        before[&own.etc("extensions.conf")].bytes
    );
    let mut left = own.content();
    let ours = |name: &str| name.contains("extensions.conf");
    left.retain(|path, _| !ours(path.to_str().unwrap()));
    let mut others = before;
    others.retain(|path, _| !ours(path.to_str().unwrap()));
    assert!(left == others, "another file was not put back");
    let removed = remove(&own, "pbx1");
    assert_eq!(removed.code, 0, "{removed:?}");
    let text = fs::read_to_string(own.etc("extensions.conf")).unwrap();
    assert!(text.contains("[mine]") && !text.contains("#tryinclude"), "{text}");
}
