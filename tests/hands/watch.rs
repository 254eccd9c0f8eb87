//! A relay before the manager interface that writes down which process has files read, from when to when.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use switchyard::domain::artifact::Artifact;
use switchyard::domain::instance::PbxKind;

/// For so long an answer to a reload is kept back: whoever does not wait for their turn comes in between.
const HELD: Duration = Duration::from_millis(100);
/// Longer than anything takes.
const LONG: Duration = Duration::from_mins(1);

/// It listens until the test's process ends.
pub struct Watch {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    to: u16,
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// The process behind each connection, in the order in which they came.
    processes: Vec<Option<u32>>,
    /// Each reload's beginning and end in their order, with its connection.
    reloads: Vec<(usize, Mark)>,
    /// Whether no reload is answered until further notice.
    frozen: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    Begun,
    Ended,
}

impl Watch {
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let here = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            to: port,
            seen: Mutex::default(),
            changed: Condvar::new(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || state.relay(&client));
            }
        });
        Self { port: here, state }
    }

    /// From now on no reload is answered.
    pub fn freeze(&self) {
        self.state.seen().frozen = true;
    }

    /// Waits until a reload is kept back; gives the process that waits for its answer.
    pub fn frozen(&self) -> u32 {
        let is_open = |seen: &Seen| !matches!(seen.reloads.last(), Some((_, Mark::Begun)));
        let (seen, late) = self
            .state
            .changed
            .wait_timeout_while(self.state.seen(), LONG, |seen| is_open(seen))
            .unwrap();
        assert!(!late.timed_out(), "nobody reloads anything");
        let (link, _) = seen.reloads.last().unwrap();
        seen.processes[*link].unwrap()
    }

    pub fn thaw(&self) {
        self.state.seen().frozen = false;
        self.state.changed.notify_all();
    }

    /// The processes that had something reloaded.
    pub fn drivers(&self) -> BTreeSet<u32> {
        let seen = self.state.seen();
        let links = seen.reloads.iter().map(|(link, _)| *link);
        links.map(|link| seen.processes[link].unwrap()).collect()
    }

    /// The processes that connected at all.
    pub fn callers(&self) -> BTreeSet<u32> {
        self.state.seen().processes.iter().flatten().copied().collect()
    }

    /// From a process's first reload of a deploy to the last one's answer, nobody else's begins. Gives how many such
    /// turns there were.
    pub fn assert_one_at_a_time(&self) -> usize {
        let seen = self.state.seen();
        let mut turns: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for (place, (link, _)) in seen.reloads.iter().enumerate() {
            turns.entry(*link).or_insert((place, place)).1 = place;
        }
        let mut turns: Vec<(usize, usize)> = turns.into_values().collect();
        turns.sort_unstable();
        for pair in turns.windows(2) {
            assert!(pair[0].1 < pair[1].0, "two at once: {:?}", seen.reloads);
        }
        turns.len()
    }
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn mark(&self, link: usize, mark: Mark) {
        self.seen().reloads.push((link, mark));
        self.changed.notify_all();
    }

    fn relay(self: Arc<Self>, client: &TcpStream) {
        let process = process_behind(client);
        let link = {
            let mut seen = self.seen();
            seen.processes.push(process);
            seen.processes.len() - 1
        };
        let Ok(pbx) = TcpStream::connect(("127.0.0.1", self.to)) else {
            return;
        };
        // The reload that is under way on this connection: one at a time.
        let under_way: Arc<Mutex<Option<String>>> = Arc::default();
        let (state, asked) = (Arc::clone(&self), Arc::clone(&under_way));
        let (from_client, to_pbx) = (client.try_clone().unwrap(), pbx.try_clone().unwrap());
        thread::spawn(move || {
            pass(&from_client, &to_pbx, |block| {
                if let Some(id) = reload(block) {
                    *asked.lock().unwrap() = Some(id);
                    state.mark(link, Mark::Begun);
                }
            });
            // Whoever was killed in the middle waits for nothing any more.
            if asked.lock().unwrap().take().is_some() {
                state.mark(link, Mark::Ended);
            }
            state.changed.notify_all();
        });
        pass(&pbx, client, |block| {
            let is_answered = || {
                let id = under_way.lock().unwrap();
                id.as_deref()
                    .is_some_and(|id| field(block, "ActionID") == Some(id) && block.contains("Response: "))
            };
            if is_answered() {
                self.keep_back(&is_answered);
                if under_way.lock().unwrap().take().is_some() {
                    self.mark(link, Mark::Ended);
                }
            }
        });
    }

    /// For a while, and for as long as it is frozen and somebody waits.
    fn keep_back(&self, is_waited_for: &dyn Fn() -> bool) {
        thread::sleep(HELD);
        let held = |seen: &mut Seen| seen.frozen && is_waited_for();
        drop(self.changed.wait_timeout_while(self.seen(), LONG, held));
    }
}

/// Passes bytes on until one side ends; each block is shown before its last byte is passed on.
fn pass(mut from: &TcpStream, mut to: &TcpStream, mut show: impl FnMut(&str)) {
    let mut block = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        block.extend_from_slice(&bytes[..count]);
        while let Some(end) = block.windows(4).position(|four| four == b"\r\n\r\n") {
            show(&String::from_utf8_lossy(&block[..end]));
            block.drain(..end + 4);
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    for side in [from, to] {
        let _ = side.shutdown(Shutdown::Both);
    }
}

/// The id of an action that has one of our files read.
fn reload(block: &str) -> Option<String> {
    let module = field(block, "Module")?;
    let is_ours = Artifact::of(PbxKind::Asterisk)
        .iter()
        .any(|file| file.module() == module);
    (is_ours && field(block, "Action") == Some("Reload"))
        .then(|| field(block, "ActionID").unwrap_or_default().to_owned())
}

fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = block.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The process at the other end of a connection within this host.
fn process_behind(client: &TcpStream) -> Option<u32> {
    let [theirs, ours] =
        [client.peer_addr(), client.local_addr()].map(|at| format!("0100007F:{:04X}", at.unwrap().port()));
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let socket = table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(1..3)? == [&theirs, &ours]).then(|| format!("socket:[{}]", words[9]))
    })?;
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
        files
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == socket.as_str()))
    })
}
