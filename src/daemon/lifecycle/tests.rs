//! Each way in which the daemon's life can end.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use tokio::sync::mpsc;

use super::*;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(20);

/// A life with signals of the test's own.
fn life(
    grace: Duration,
    watchdog: Option<Duration>,
) -> (Lifecycle, mpsc::UnboundedSender<()>, Receiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (supervisor, heard) = Supervisor::recording(watchdog);
    let signals = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|()| ((), receiver))
    });
    let life = Lifecycle {
        tasks: Tasks::default(),
        signals: signals.boxed(),
        supervisor,
        grace,
    };
    (life, sender, heard)
}

async fn ended(life: Lifecycle) -> Result<(), LifecycleError> {
    timeout(LONG, life.run()).await.expect("the life did not end")
}

#[tokio::test]
async fn a_signal_lets_tasks_finish() {
    let (life, signals, heard) = life(LONG, None);
    let finished = Arc::new(AtomicBool::new(false));
    let (stop, finish) = (life.tasks().soft_stop(), finished.clone());
    life.tasks().spawn("worker", async move {
        stop.cancelled().await;
        tokio::time::sleep(SHORT).await;
        finish.store(true, Ordering::SeqCst);
        io::Result::Ok(())
    });
    signals.send(()).unwrap();
    ended(life).await.unwrap();
    assert!(finished.load(Ordering::SeqCst));
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["READY=1", "STOPPING=1"]);
}

#[tokio::test]
async fn a_second_signal_cuts_tasks_off() {
    let (life, signals, _heard) = life(LONG, None);
    life.tasks().spawn("stubborn", pending::<io::Result<()>>());
    signals.send(()).unwrap();
    signals.send(()).unwrap();
    let error = ended(life).await.unwrap_err();
    assert!(matches!(error, LifecycleError::CutOff { running: 1 }), "{error}");
}

#[tokio::test]
async fn a_stop_that_takes_too_long_cuts_tasks_off() {
    let (life, signals, _heard) = life(SHORT, None);
    life.tasks().spawn("stubborn", pending::<io::Result<()>>());
    signals.send(()).unwrap();
    let error = ended(life).await.unwrap_err();
    assert!(matches!(error, LifecycleError::CutOff { running: 1 }), "{error}");
}

#[tokio::test]
async fn a_task_that_fails_stops_the_daemon() {
    let (life, _signals, heard) = life(LONG, None);
    let stop = life.tasks().soft_stop();
    life.tasks().spawn("other", async move {
        stop.cancelled().await;
        io::Result::Ok(())
    });
    life.tasks()
        .spawn("feed", async { Err(io::Error::other("gone")) });
    let error = ended(life).await.unwrap_err();
    assert_eq!(error.to_string(), "the task `feed` failed");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "gone");
    assert_eq!(heard.try_iter().last().as_deref(), Some("STOPPING=1"));
}

#[tokio::test]
async fn a_task_that_ends_by_itself_stops_the_daemon() {
    let (life, _signals, _heard) = life(LONG, None);
    life.tasks().spawn("feed", async { io::Result::Ok(()) });
    assert_eq!(
        ended(life).await.unwrap_err().to_string(),
        "the task `feed` ended by itself"
    );
}

#[tokio::test]
async fn a_task_that_panics_stops_the_daemon() {
    let (life, _signals, _heard) = life(LONG, None);
    life.tasks().spawn("feed", async {
        Err(io::Error::from_raw_os_error(
            "no number".parse().expect("a number"),
        ))
    });
    assert_eq!(
        ended(life).await.unwrap_err().to_string(),
        "the task `feed` panicked"
    );
}

#[tokio::test]
async fn the_watchdog_hears_of_the_daemon_until_its_end() {
    let (life, signals, heard) = life(SHORT * 4, Some(SHORT / 5));
    life.tasks().spawn("stubborn", pending::<io::Result<()>>());
    let stop = async {
        tokio::time::sleep(SHORT).await;
        signals.send(()).unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = ended(life) => {}
        () = stop => {}
    }
    let heard: Vec<String> = heard.try_iter().collect();
    let stopping = heard.iter().position(|word| word == "STOPPING=1").unwrap();
    assert_eq!(heard[0], "READY=1");
    assert!(heard[1..stopping].contains(&"WATCHDOG=1".to_owned()), "{heard:?}");
    assert!(heard[stopping..].contains(&"WATCHDOG=1".to_owned()), "{heard:?}");
}

#[tokio::test]
async fn sigterm_is_taken_over() {
    let life = Lifecycle::of_process().unwrap();
    let stop = life.tasks().soft_stop();
    life.tasks().spawn("worker", async move {
        stop.cancelled().await;
        io::Result::Ok(())
    });
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
    ended(life).await.unwrap();
}

/// A keep-alive says that the threads which do the work get on, not only that the process is there.
#[test]
fn the_watchdog_hears_nothing_while_no_task_gets_on() {
    let workers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    workers.block_on(async {
        let (life, signals, heard) = life(LONG, Some(SHORT / 5));
        life.tasks().spawn("stuck", async {
            std::thread::sleep(SHORT * 10);
            pending::<io::Result<()>>().await
        });
        let look = std::thread::spawn(move || {
            std::thread::sleep(SHORT);
            let before = heard.try_iter().count();
            std::thread::sleep(SHORT * 4);
            let stuck = heard.try_iter().count();
            std::thread::sleep(SHORT * 10);
            let after = heard.try_iter().filter(|word| word == "WATCHDOG=1").count();
            signals.send(()).unwrap();
            signals.send(()).unwrap();
            (before, stuck, after)
        });
        assert!(ended(life).await.is_err(), "it was not cut off");
        let (before, stuck, after) = look.join().unwrap();
        assert!(before >= 1, "not even ready");
        assert_eq!(stuck, 0, "it was told to be alive");
        assert!(after >= 2, "{after}");
    });
}
