//! A relay before the manager interface that breaks off, falls silent or talks nonsense after so many bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// No message has such a line.
const NONSENSE: &[u8] = b"\xff\xfe nonsense\r\n\r\n";

/// What an answer says that has a list.
const LISTED: &[u8] = b"EventList: start";

/// What happens to the bytes that the PBX sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection breaks off, and no other is let through.
    Cut(u64),
    /// Nothing more comes, and nothing is closed.
    Silence(u64),
    /// From then on everything is replaced.
    Garbage(u64),
    /// Everything comes, but each piece as late as that.
    Slow(Duration),
    /// Lists do not say that they are such.
    Unlisted,
}

impl Fault {
    fn after(self) -> u64 {
        match self {
            Self::None | Self::Slow(_) | Self::Unlisted => u64::MAX,
            Self::Cut(after) | Self::Silence(after) | Self::Garbage(after) => after,
        }
    }
}

/// It listens until the test's process ends.
pub struct Relay {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    fault: Mutex<Fault>,
    /// What the PBX has sent since the fault was set.
    passed: AtomicU64,
    to: u16,
}

impl Relay {
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let state = Arc::new(State {
            fault: Mutex::new(Fault::None),
            passed: AtomicU64::new(0),
            to: port,
        });
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || state.relay(client));
            }
        });
        Self { port, state }
    }

    /// Sets what happens from now on; gives how many bytes the PBX had sent since it was set last.
    pub fn set(&self, fault: Fault) -> u64 {
        *self.state.fault.lock().unwrap() = fault;
        self.state.passed.swap(0, Ordering::SeqCst)
    }
}

impl State {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }

    fn relay(&self, mut client: TcpStream) {
        let Ok(mut pbx) = TcpStream::connect(("127.0.0.1", self.to)) else {
            return;
        };
        let (mut from_client, mut to_pbx) = (client.try_clone().unwrap(), pbx.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut from_client, &mut to_pbx);
            let _ = to_pbx.shutdown(Shutdown::Both);
        });
        let mut bytes = [0; 512];
        loop {
            let count = match pbx.read(&mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            match self.fault() {
                Fault::Slow(pause) => thread::sleep(pause),
                Fault::Unlisted => {
                    let found = bytes[..count]
                        .windows(LISTED.len())
                        .position(|window| window == LISTED);
                    if let Some(at) = found {
                        bytes[at] = b'X';
                    }
                }
                Fault::None | Fault::Cut(_) | Fault::Silence(_) | Fault::Garbage(_) => {}
            }
            let length = u64::try_from(count).unwrap();
            let end = self.passed.fetch_add(length, Ordering::SeqCst) + length;
            let over = usize::try_from(end.saturating_sub(self.fault().after()))
                .unwrap()
                .min(count);
            let (good, bad) = bytes[..count].split_at_mut(count - over);
            if client.write_all(good).is_err() {
                break;
            }
            if !bad.is_empty() {
                match self.fault() {
                    Fault::None | Fault::Silence(_) | Fault::Slow(_) | Fault::Unlisted => {}
                    Fault::Cut(_) => break,
                    Fault::Garbage(_) => {
                        for (byte, nonsense) in bad.iter_mut().zip(NONSENSE.iter().cycle()) {
                            *byte = *nonsense;
                        }
                        if client.write_all(bad).is_err() {
                            break;
                        }
                    }
                }
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = pbx.shutdown(Shutdown::Both);
    }
}
