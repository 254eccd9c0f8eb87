//! The addresses behind a PBX's name: who looks them up holds a thread for as long as a name server says nothing.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

type Found = io::Result<Vec<SocketAddr>>;

/// How long a look-up is waited for where it is known what the one before it found.
const SOON: Duration = Duration::from_millis(500);

/// The look-ups of one link, of which no more than one is under way, however often whoever wants it gives up.
#[derive(Debug, Default)]
pub struct Lookup {
    under_way: Option<JoinHandle<Found>>,
    /// What was found last.
    last: Vec<SocketAddr>,
}

impl Lookup {
    /// Connects to the first address of a place that takes us. Where a look-up is under way still, that one is waited for, or,
    /// where the name server says nothing, what was found before is good enough.
    pub async fn connect(&mut self, (host, port): (&str, u16)) -> io::Result<TcpStream> {
        let addresses = if let Ok(address) = host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, port)]
        } else {
            let place = (host.to_owned(), port);
            self.found(move || Ok(place.to_socket_addrs()?.collect())).await?
        };
        TcpStream::connect(addresses.as_slice()).await
    }

    /// Cancel safe: what is under way is there for whoever comes next.
    async fn found(&mut self, look_up: impl FnOnce() -> Found + Send + 'static) -> Found {
        // What came of one that nobody waited for may be old.
        self.under_way.take_if(|looking| looking.is_finished());
        let looking = self.under_way.get_or_insert_with(|| spawn_blocking(look_up));
        let found = if self.last.is_empty() {
            looking.await
        } else {
            match timeout(SOON, looking).await {
                Ok(found) => found,
                Err(_) => return Ok(self.last.clone()),
            }
        };
        self.under_way = None;
        self.last = found??;
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
        let unknown = || Err(io::ErrorKind::NotFound.into());
        let error = lookup.found(unknown).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "it is looked up anew");
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
        // The same one tells it where somebody waits for it.
        let another = || -> Found { panic!("a second one is under way") };
        let (found, ()) = tokio::join!(lookup.found(another), async {
            answer.send(vec![address(2)]).unwrap();
        });
        assert_eq!(found.unwrap(), [address(2)]);
        // What came long ago is not taken for an answer of today.
        lookup.under_way = Some(spawn_blocking(move || Ok(vec![address(3)])));
        while !lookup.under_way.as_ref().unwrap().is_finished() {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            lookup.found(move || Ok(vec![address(4)])).await.unwrap(),
            [address(4)]
        );
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
