//! A relay before the database that lets nobody in, breaks off, or falls silent without closing anything.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// What falls silent once the daemon sends a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// The text itself does not arrive.
    Question,
    /// It arrives, and what the server says to it does not.
    Answer,
    /// The text itself does not arrive, and the connection is closed.
    Connection,
}

#[derive(Default)]
struct State {
    /// Nothing passes any more, in no direction.
    silent: bool,
    /// So many connections are closed as soon as they are there.
    refusals: usize,
    /// Once, at the connection that sends it.
    loss: Option<(&'static str, Loss)>,
    /// Whether the loss has come.
    lost: bool,
    next: u64,
    links: BTreeMap<u64, [TcpStream; 2]>,
}

/// It listens until the test's process ends.
pub struct Relay {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Relay {
    pub fn before(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                link(&shared, client, to);
            }
        });
        Self { port, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// From now on nothing passes, and nothing closes.
    pub fn fall_silent(&self) {
        self.state().silent = true;
    }

    /// The connection that sends this text next falls silent; all others go on.
    pub fn lose(&self, text: &'static str, loss: Loss) {
        self.state().loss = Some((text, loss));
    }

    /// Whether that has happened.
    pub fn has_lost(&self) -> bool {
        self.state().lost
    }

    /// Ends every connection, and as many as that of those that are made next.
    pub fn restart(&self, refusals: usize) {
        let mut state = self.state();
        state.refusals = refusals;
        for link in std::mem::take(&mut state.links).into_values().flatten() {
            let _ = link.shutdown(Shutdown::Both);
        }
    }

    /// How many of those were made.
    pub fn refusals_left(&self) -> usize {
        self.state().refusals
    }
}

fn link(shared: &Arc<Mutex<State>>, client: TcpStream, to: u16) {
    let mut state = shared.lock().unwrap();
    if state.refusals > 0 {
        state.refusals -= 1;
        let _ = client.shutdown(Shutdown::Both);
        return;
    }
    let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
    state.next += 1;
    let id = state.next;
    let kept = [client.try_clone().unwrap(), server.try_clone().unwrap()];
    state.links.insert(id, kept);
    drop(state);
    let silent = Arc::new(Mutex::new(false));
    for (from, to, is_client) in [
        (client.try_clone().unwrap(), server.try_clone().unwrap(), true),
        (server, client, false),
    ] {
        let (shared, silent) = (Arc::clone(shared), Arc::clone(&silent));
        thread::spawn(move || {
            pass(&shared, &silent, from, &to, is_client);
            let _ = to.shutdown(Shutdown::Both);
            shared.lock().unwrap().links.remove(&id);
        });
    }
}

fn pass(
    shared: &Mutex<State>,
    silent: &Mutex<bool>,
    mut from: TcpStream,
    mut to: &TcpStream,
    is_client: bool,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let piece = &bytes[..count];
        let mut state = shared.lock().unwrap();
        let mut passes = !state.silent && !*silent.lock().unwrap();
        if let Some((text, loss)) = state.loss
            && is_client
            && piece.windows(text.len()).any(|window| window == text.as_bytes())
        {
            state.loss = None;
            state.lost = true;
            *silent.lock().unwrap() = true;
            passes &= loss == Loss::Answer;
            if loss == Loss::Connection {
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
        }
        drop(state);
        if passes && to.write_all(piece).is_err() {
            return;
        }
    }
}
