//! One request to a webhook: within limits of time and size, without redirects, to a checked address.

use std::error::Error;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::time::timeout;

use super::resolver::{Busy, Lookups, Resolver, Unreachable};
use super::signature::signatures;
use super::verdict::Outcome;
use crate::domain::error_chain::error_chain;
use crate::domain::webhook_reach::WebhookReach;
use crate::store::webhook_queue::{Queued, Target};

/// As much of an answer is read, and thrown away: so a small one is read whole, and the connection ends in peace.
const READ: usize = 16 * 1024;

/// What a webhook may take of the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For connecting, TLS included.
    pub connect: Duration,
    /// From the first packet to the answer's status.
    pub total: Duration,
    /// For the rest of an answer, whose status is known.
    pub rest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(15),
            rest: Duration::from_secs(1),
        }
    }
}

/// Sends requests.
pub(super) struct WebhookClient {
    tls: Client,
    clear: Client,
    reach: WebhookReach,
    limits: Limits,
}

impl WebhookClient {
    pub fn new(reach: WebhookReach, limits: Limits) -> Result<Self, reqwest::Error> {
        Self::with(reach, limits, &Lookups::default())
    }

    fn with(reach: WebhookReach, limits: Limits, lookups: &Lookups) -> Result<Self, reqwest::Error> {
        let client = |is_clear| {
            Client::builder()
                .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .referer(false)
                // What the environment names is no address that was checked.
                .no_proxy()
                .dns_resolver(Resolver::new(reach.clone(), is_clear, lookups.clone()))
                .https_only(!is_clear)
                // Each connection is made to an address that is checked then.
                .pool_max_idle_per_host(0)
                .connect_timeout(limits.connect)
                .timeout(limits.total)
                .build()
        };
        Ok(Self {
            tls: client(false)?,
            clear: client(true)?,
            reach,
            limits,
        })
    }

    /// Sends an event, signed at `time`, in seconds since 1970.
    pub async fn send(&self, target: &Target, event: &Queued, time: i64) -> Outcome {
        let Target { url, secrets } = target;
        // A host that is an address is connected to without being resolved.
        let leads = url.literal();
        if leads.is_some_and(|address| !self.reach.may_reach(address, url.is_clear())) {
            return Outcome::failed(Unreachable.to_string());
        }
        let client = if url.is_clear() { &self.clear } else { &self.tls };
        let sent = client
            .post(url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header("Switchyard-Event", event.kind.as_str())
            .header("Switchyard-Event-Id", event.id.to_string())
            .header("Switchyard-Timestamp", time.to_string())
            .header("Switchyard-Signature", signatures(secrets, time, &event.body))
            .body(event.body.clone())
            .send();
        match sent.await {
            Ok(answer) => {
                let outcome = Outcome::of_status(answer.status().as_u16());
                // It has said what it had to say.
                let _ = timeout(self.limits.rest, read_some(answer)).await;
                outcome
            }
            Err(error) => failed(error),
        }
    }
}

async fn read_some(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > READ {
            return;
        }
    }
}

/// What went wrong, without the URL, whose path may hold a secret.
fn failed(error: reqwest::Error) -> Outcome {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = source {
        if let Some(unreachable) = inner.downcast_ref::<Unreachable>() {
            return Outcome::failed(unreachable.to_string());
        }
        if let Some(busy) = inner.downcast_ref::<Busy>() {
            return Outcome::hindered(busy.to_string());
        }
        source = inner.source();
    }
    if error.is_timeout() {
        return Outcome::failed("does not answer in time");
    }
    Outcome::failed(error_chain(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::EventId;

    /// Leads to where webhooks may lead when it is asked for the first time, and into the house from then on.
    fn turning(_name: &str) -> io::Result<Vec<SocketAddr>> {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let leads = match ASKED.fetch_add(1, Ordering::SeqCst) {
            0 => "127.0.0.1:0",
            _ => "10.0.0.1:0",
        };
        leads
            .parse()
            .map(|address| vec![address])
            .map_err(io::Error::other)
    }

    /// Takes what comes, and ends no connection itself.
    async fn serve(listener: TcpListener) -> Infallible {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = [0; 4096];
            while stream.read(&mut read).await.unwrap_or(0) > 0 {
                let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_into_the_house_by_then_is_refused_though_it_led_elsewhere_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reach = WebhookReach::new("127.0.0.0/8".parse().unwrap());
        let client = WebhookClient::with(reach, Limits::default(), &Lookups::new(1, turning)).unwrap();
        let target = Target {
            url: format!("http://hooks.example.com:{port}/hook").parse().unwrap(),
            secrets: Vec::new(),
        };
        let event = Queued {
            number: 1,
            id: EventId::from_uuid(Uuid::nil()),
            kind: "user.created".to_owned(),
            body: "{}".to_owned(),
        };
        let sending = async {
            let first = client.send(&target, &event, 0).await;
            (first, client.send(&target, &event, 0).await)
        };
        let (first, second) = tokio::select! {
            sent = sending => sent,
            never = serve(listener) => match never {},
        };
        assert_eq!(first, Outcome::Delivered);
        assert_eq!(second, Outcome::failed(Unreachable.to_string()));
    }

    #[tokio::test]
    async fn that_too_many_names_are_looked_up_is_no_fault_of_the_webhook() {
        let none = Lookups::new(0, |_| Ok(Vec::new()));
        let resolver = Resolver::new(WebhookReach::default(), true, none);
        let client = Client::builder().no_proxy().dns_resolver(resolver);
        let asked = client.build().unwrap().get("http://hooks.example.com/").send();
        assert_eq!(
            failed(asked.await.unwrap_err()),
            Outcome::hindered("too many names are being looked up at this moment")
        );
    }
}
