//! A phone's sound: speaks and listens over RTP, and presses keys.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// One packet carries 20 ms of A-law.
const PACKET: Duration = Duration::from_millis(20);
const SAMPLES: u32 = 160;
const ALAW: u8 = 8;
const EVENT: u8 = 101;

#[derive(Default)]
struct Shared {
    peer: Option<SocketAddr>,
    keys: VecDeque<u8>,
    sound: Vec<u8>,
}

/// A phone that speaks from the moment on that it first hears something, or is told to whom.
pub struct Media {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Media {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let port = socket.local_addr().unwrap().port();
        let (shared, stop) = (Arc::<Mutex<Shared>>::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
            thread::spawn(move || speak_and_listen(&socket, &shared, &stop))
        };
        Self {
            port,
            shared,
            stop,
            thread: Some(thread),
        }
    }

    /// For the key `media` of a scenario.
    pub fn port(&self) -> String {
        self.port.to_string()
    }

    /// Presses keys of a phone, one after the other.
    pub fn press(&self, keys: &str) {
        let events = keys.chars().map(|key| match key {
            '*' => 10,
            '#' => 11,
            digit => u8::try_from(digit.to_digit(10).unwrap()).unwrap(),
        });
        self.shared.lock().unwrap().keys.extend(events);
    }

    /// Speaks first.
    pub fn speak_to(&self, peer: SocketAddr) {
        self.shared.lock().unwrap().peer = Some(peer);
    }

    /// How many packets of sound came.
    pub fn heard(&self) -> usize {
        self.shared.lock().unwrap().sound.len() / SAMPLES as usize
    }

    /// Whether it hears what such a phone says, be it this one or another.
    pub fn hears_the_voice(&self) -> bool {
        let shared = self.shared.lock().unwrap();
        shared
            .sound
            .windows(SAMPLES as usize)
            .any(|window| window == voice())
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A sound that nothing else makes.
fn voice() -> Vec<u8> {
    (0..u8::try_from(SAMPLES).unwrap()).collect()
}

fn speak_and_listen(socket: &UdpSocket, shared: &Mutex<Shared>, stop: &AtomicBool) {
    let mut buffer = [0_u8; 2048];
    let (mut sequence, mut time) = (0_u16, 0_u32);
    // What is left to send of the key that is being pressed.
    let mut pressing: VecDeque<Vec<u8>> = VecDeque::new();
    let mut pause = 0;
    while !stop.load(Ordering::Relaxed) {
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            shared.lock().unwrap().peer = Some(from);
            if length > 12 && buffer[1] & 0x7f == ALAW {
                shared
                    .lock()
                    .unwrap()
                    .sound
                    .extend_from_slice(&buffer[12..length]);
            }
        }
        let peer = shared.lock().unwrap().peer;
        if let Some(peer) = peer {
            if pressing.is_empty() && pause == 0 {
                let key = shared.lock().unwrap().keys.pop_front();
                if let Some(key) = key {
                    pressing = key_press(key, time);
                    pause = 15;
                }
            } else if pressing.is_empty() {
                pause -= 1;
            }
            let (kind, stamp, payload) = match pressing.pop_front() {
                // All packets of one key press carry the time at which it began.
                Some(mut event) => {
                    let began = u32::from_be_bytes(event.split_off(4).try_into().unwrap());
                    (EVENT, began, event)
                }
                None => (ALAW, time, voice()),
            };
            let mut packet = vec![0x80, kind];
            packet.extend(sequence.to_be_bytes());
            packet.extend(stamp.to_be_bytes());
            packet.extend(0x5157_4344_u32.to_be_bytes());
            packet.extend(payload);
            // A call that has ended has no port any more.
            let _ = socket.send_to(&packet, peer);
            sequence = sequence.wrapping_add(1);
            time = time.wrapping_add(SAMPLES);
        }
        thread::sleep(PACKET);
    }
}

/// The payloads of a key pressed for 160 ms (RFC 4733), each followed by the time at which it began.
fn key_press(key: u8, began: u32) -> VecDeque<Vec<u8>> {
    (1..=10_u16)
        .map(|step| {
            // The end is told three times, with the same duration.
            let end_and_volume = if step > 7 { 0x8a } else { 0x0a };
            let duration = step.min(8) * 160;
            let mut payload = vec![key, end_and_volume];
            payload.extend(duration.to_be_bytes());
            payload.extend(began.to_be_bytes());
            payload
        })
        .collect()
}
