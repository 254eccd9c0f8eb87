//! The addresses behind a PBX's name: who looks them up holds a thread for as long as a name server says nothing.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

type Found = io::Result<Vec<SocketAddr>>;

/// How long a look-up is waited for where it is known what the one before it found.
const SOON: Duration = Duration::from_millis(500);
/// How long an answer holds that came while nobody waited for it: longer than any pause between two tries, or one that always
/// comes in a pause would never be taken.
const HOLDS: Duration = Duration::from_secs(30);

/// The look-ups of one link, of which no more than one is under way, however often whoever wants it gives up.
#[derive(Debug, Default)]
pub struct Lookup {
    under_way: Option<Looking>,
    /// What was found last.
    last: Vec<SocketAddr>,
    /// Whether it is not found any more.
    is_failing: bool,
}

/// A look-up that is under way, or whose answer nobody has taken yet.
#[derive(Debug)]
struct Looking {
    found: JoinHandle<Found>,
    answered: Arc<OnceLock<Instant>>,
}

impl Looking {
    fn begin(look_up: impl FnOnce() -> Found + Send + 'static) -> Self {
        let answered = Arc::new(OnceLock::new());
        let since = Arc::clone(&answered);
        let found = spawn_blocking(move || {
            let found = look_up();
            since.get_or_init(Instant::now);
            found
        });
        Self { found, answered }
    }

    fn is_old(&self) -> bool {
        self.answered.get().is_some_and(|since| since.elapsed() > HOLDS)
    }
}

impl Lookup {
    /// Connects to the first address of a place that takes us. Where a look-up is under way still, that one is waited for, or,
    /// where the name server says nothing, what was found before is good enough.
    pub async fn connect(&mut self, (host, port): (&str, u16)) -> io::Result<TcpStream> {
        let addresses = if let Ok(address) = host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, port)]
        } else {
            let place = (host.to_owned(), port);
            let was_failing = self.is_failing;
            let found = self.found(move || Ok(place.to_socket_addrs()?.collect())).await?;
            // Where the name is gone, its last address may be another's by now: somebody has to see that.
            match (was_failing, self.is_failing) {
                (false, true) => {
                    tracing::warn!(
                        host,
                        "the name of a PBX is not found any more: its last address is used"
                    );
                }
                (true, false) => tracing::info!(host, "the name of a PBX is found again"),
                _ => {}
            }
            found
        };
        TcpStream::connect(addresses.as_slice()).await
    }

    /// Cancel safe: what is under way is there for whoever comes next.
    async fn found(&mut self, look_up: impl FnOnce() -> Found + Send + 'static) -> Found {
        self.under_way.take_if(|looking| looking.is_old());
        let looking = self.under_way.get_or_insert_with(|| Looking::begin(look_up));
        let found = if self.last.is_empty() {
            (&mut looking.found).await
        } else {
            match timeout(SOON, &mut looking.found).await {
                Ok(found) => found,
                Err(_) => return Ok(self.last.clone()),
            }
        };
        self.under_way = None;
        match found.map_err(io::Error::from).flatten() {
            Ok(found) if !found.is_empty() => {
                self.last = found;
                self.is_failing = false;
            }
            failed if self.last.is_empty() => return failed,
            // A name server that fails says no more than one that says nothing.
            Ok(_) | Err(_) => self.is_failing = true,
        }
        Ok(self.last.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::sync::mpsc;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn while_a_name_server_says_nothing_one_look_up_is_under_way_and_whoever_comes_next_waits_for_it() {
        let (answer, answered) = mpsc::channel();
        let address: SocketAddr = "192.0.2.1:5038".parse().unwrap();
        let mut lookup = Lookup::default();
        let silent = move || Ok(answered.recv().unwrap());
        assert!(lookup.found(silent).now_or_never().is_none(), "it was given up");
        let another = || -> Found { panic!("a second one is under way") };
        assert!(lookup.found(another).now_or_never().is_none());
        let (found, ()) = tokio::join!(lookup.found(another), async {
            answer.send(vec![address]).unwrap();
        });
        assert_eq!(found.unwrap(), [address]);
        // One that is known already would do where a host is busy.
        lookup.last.clear();
        let moved = SocketAddr::from(([192, 0, 2, 2], 5038));
        let found = lookup.found(move || Ok(vec![moved])).await.unwrap();
        assert_eq!(found, [moved], "it is looked up anew");
    }

    #[tokio::test]
    async fn a_name_server_that_fails_is_told_only_where_nothing_was_found_before() {
        let address = SocketAddr::from(([192, 0, 2, 1], 5038));
        let fails = || Err(io::ErrorKind::NotFound.into());
        let mut lookup = Lookup::default();
        let error = lookup.found(fails).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        lookup.found(move || Ok(vec![address])).await.unwrap();
        assert_eq!(lookup.found(fails).await.unwrap(), [address]);
        assert_eq!(lookup.found(|| Ok(Vec::new())).await.unwrap(), [address]);
        assert_eq!(lookup.last, [address]);
        assert!(lookup.is_failing);
        lookup.found(move || Ok(vec![address])).await.unwrap();
        assert!(!lookup.is_failing);
    }

    /// A look-up that was over for so long before anybody asked for its answer.
    async fn over_for(age: Duration, address: SocketAddr) -> Lookup {
        let looking = Looking {
            found: spawn_blocking(move || Ok(vec![address])),
            answered: Arc::new(Instant::now().checked_sub(age).unwrap().into()),
        };
        while !looking.found.is_finished() {
            tokio::task::yield_now().await;
        }
        Lookup {
            under_way: Some(looking),
            last: Vec::new(),
            is_failing: false,
        }
    }

    #[tokio::test]
    async fn an_answer_that_comes_between_two_tries_is_taken_by_the_next_one_unless_it_is_old() {
        let [before, now] = [1, 2].map(|last| SocketAddr::from(([192, 0, 2, last], 5038)));
        let another = || -> Found { panic!("it is looked up anew") };
        let mut lookup = over_for(Duration::from_secs(15), before).await;
        assert_eq!(lookup.found(another).await.unwrap(), [before]);
        assert!(lookup.under_way.is_none(), "once");
        let mut lookup = over_for(HOLDS, before).await;
        assert_eq!(lookup.found(move || Ok(vec![now])).await.unwrap(), [now]);
    }

    #[tokio::test]
    async fn while_a_name_server_says_nothing_what_it_said_before_is_good_enough() {
        let address = |last| SocketAddr::from(([192, 0, 2, last], 5038));
        let mut lookup = Lookup::default();
        assert_eq!(
            lookup.found(move || Ok(vec![address(1)])).await.unwrap(),
            [address(1)]
        );
        let (answer, answered) = mpsc::channel();
        let silent = move || Ok(answered.recv().unwrap());
        assert_eq!(lookup.found(silent).await.unwrap(), [address(1)]);
        // The same one tells it whoever comes once it has answered.
        answer.send(vec![address(2)]).unwrap();
        while !lookup.under_way.as_ref().unwrap().found.is_finished() {
            tokio::task::yield_now().await;
        }
        let another = || -> Found { panic!("a second one is begun") };
        assert_eq!(lookup.found(another).await.unwrap(), [address(2)]);
    }

    #[tokio::test]
    async fn a_name_and_an_address_lead_to_whoever_listens_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut lookup = Lookup::default();
        for host in ["127.0.0.1", "localhost"] {
            lookup.connect((host, port)).await.unwrap();
            assert!(lookup.under_way.is_none());
        }
    }
}
