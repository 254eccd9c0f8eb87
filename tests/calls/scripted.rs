//! A PBX whose every word is a test's: what it tells by itself, and when and what it answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::instance::PbxInstance;
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::leg::{Contact, Endpoint, Leg, LegId, WireText};
use switchyard::driver::DriverError;
use switchyard::driver::feed::{Feed, FeedFactory, News, Poll};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The other side of a question.
pub struct Asked<T> {
    pub at: Timestamp,
    /// By a clock that nobody sets.
    pub since: Instant,
    answer: oneshot::Sender<Result<Vec<T>, DriverError>>,
}

impl<T> Asked<T> {
    pub fn answer(self, answer: Vec<T>) {
        // Whoever asked may be gone.
        let _ = self.answer.send(Ok(answer));
    }

    pub fn fail(self) {
        let _ = self
            .answer
            .send(Err(DriverError::unknown("a question", "no answer")));
    }
}

type Asking<T> = UnboundedSender<Asked<T>>;

/// A link of this PBX, as whoever made it up holds it.
pub struct Link {
    news: UnboundedSender<Word>,
    calls: UnboundedReceiver<Asked<Leg>>,
    phones: UnboundedReceiver<Asked<Contact>>,
    hears: Arc<Mutex<Option<bool>>>,
    /// How often somebody let go of its other end.
    gone: Arc<AtomicUsize>,
}

enum Word {
    News(Box<News>),
    /// Whoever listens breaks.
    Panic,
    /// Nothing will come any more.
    End,
}

impl Link {
    /// With what to listen to it.
    pub fn new(lag: Duration) -> (Self, ScriptedFeed) {
        let (news, told) = unbounded_channel();
        let (calls, asked_calls) = unbounded_channel();
        let (phones, asked_phones) = unbounded_channel();
        let (hears, gone) = (Arc::new(Mutex::new(Some(true))), Arc::new(AtomicUsize::new(0)));
        let asking = ScriptedPoll {
            lag,
            calls,
            phones,
            hears: Arc::clone(&hears),
        };
        let feed = ScriptedFeed {
            told,
            asking,
            gone: Gone(Arc::clone(&gone)),
        };
        let link = Self {
            news,
            calls: asked_calls,
            phones: asked_phones,
            hears,
            gone,
        };
        (link, feed)
    }

    pub fn tell(&self, news: News) {
        assert!(
            self.news.send(Word::News(Box::new(news))).is_ok(),
            "nobody listens"
        );
    }

    pub fn panic(&self) {
        assert!(self.news.send(Word::Panic).is_ok(), "nobody listens");
    }

    pub fn end(&self) {
        assert!(self.news.send(Word::End).is_ok(), "nobody listens");
    }

    /// Whether it says that its calls are told.
    pub fn hears(&self, hears: Option<bool>) {
        *self.hears.lock().unwrap() = hears;
    }

    /// Waits until it is asked for its calls. All that was told before is known by then.
    pub async fn asked(&mut self) -> Asked<Leg> {
        let asked = timeout(PATIENCE, self.calls.recv()).await;
        asked.expect("it is not asked for its calls").unwrap()
    }

    /// The same of phones.
    pub async fn asked_phones(&mut self) -> Asked<Contact> {
        let asked = timeout(PATIENCE, self.phones.recv()).await;
        asked.expect("it is not asked for its phones").unwrap()
    }

    pub fn is_let_go(&self) -> bool {
        self.gone.load(Ordering::SeqCst) > 0
    }
}

struct Gone(Arc<AtomicUsize>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub struct ScriptedFeed {
    told: UnboundedReceiver<Word>,
    asking: ScriptedPoll,
    #[expect(dead_code, reason = "it tells when it is dropped")]
    gone: Gone,
}

#[async_trait]
impl Feed for ScriptedFeed {
    async fn next(&mut self) -> Option<News> {
        match self.told.recv().await? {
            Word::News(news) => Some(*news),
            Word::Panic => panic!("as a test wants it"),
            Word::End => {
                self.told.close();
                None
            }
        }
    }

    fn poll(&self) -> Box<dyn Poll> {
        Box::new(self.asking.clone())
    }
}

#[derive(Clone)]
struct ScriptedPoll {
    lag: Duration,
    calls: Asking<Leg>,
    phones: Asking<Contact>,
    hears: Arc<Mutex<Option<bool>>>,
}

async fn ask<T>(asking: &Asking<T>) -> Result<Vec<T>, DriverError> {
    let (answer, answered) = oneshot::channel();
    let asked = Asked {
        at: SystemClock.now(),
        since: Instant::now(),
        answer,
    };
    if asking.send(asked).is_err() {
        return Err(DriverError::unknown("a question", "nobody is there"));
    }
    // Nobody answers who was let go.
    answered.await.unwrap_or_else(|_| Ok(Vec::new()))
}

#[async_trait]
impl Poll for ScriptedPoll {
    fn lag(&self) -> Duration {
        self.lag
    }

    async fn legs(&self, _: Timestamp) -> Result<Vec<Leg>, DriverError> {
        ask(&self.calls).await
    }

    async fn hears_calls(&self) -> Option<bool> {
        *self.hears.lock().unwrap()
    }

    async fn contacts(&self) -> Result<Vec<Contact>, DriverError> {
        ask(&self.phones).await
    }
}

/// Gives these, the first one first, and nothing once all were given.
pub struct Feeds(Mutex<Vec<ScriptedFeed>>);

impl Feeds {
    pub fn of(feeds: impl IntoIterator<Item = ScriptedFeed>) -> Arc<Self> {
        let mut feeds: Vec<ScriptedFeed> = feeds.into_iter().collect();
        feeds.reverse();
        Arc::new(Self(Mutex::new(feeds)))
    }
}

impl FeedFactory for Feeds {
    fn feed(&self, _: &PbxInstance, _: InstanceSecrets) -> Option<Box<dyn Feed>> {
        let next = self.0.lock().unwrap().pop();
        next.map(|feed| Box::new(feed) as Box<dyn Feed>)
    }
}

/// A leg that is a call of its own, of this extension.
pub fn leg(id: usize, endpoint: &str) -> Leg {
    let id = LegId::new(&format!("1795184873.{id}")).unwrap();
    let endpoint = Endpoint::parse(endpoint).unwrap();
    Leg {
        call: id.clone(),
        id,
        domains: vec![endpoint.domain.clone()],
        number: WireText::of(endpoint.number.as_str()),
        endpoint: Some(endpoint),
        is_local: false,
        is_up: true,
        connected: WireText::default(),
        dialled: None,
        created_at: None,
        answered_at: None,
    }
}

pub fn phone(endpoint: &str) -> Contact {
    Contact {
        endpoint: Endpoint::parse(endpoint).unwrap(),
        name: WireText::of("sip:1"),
    }
}
