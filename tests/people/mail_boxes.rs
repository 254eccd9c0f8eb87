//! Tenants with mail boxes on a running Asterisk, and messages in them.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;
use switchyard::app::instances::{self, NewInstance};
use switchyard::app::{operator, voicemail};
use switchyard::domain::ids::{InstanceId, PurgeId};
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::tenant::Tenant;
use tempfile::TempDir;

use super::gone::world;
use super::purging::ago;
use super::support::ami::{Ami, field};
use super::support::bench::Bench;
use super::support::database::Backend;
use super::support::tenants::TestTenant;
use super::support::wait::until;
use super::world::World;

/// Two tenants on a running Asterisk.
pub struct Mailed {
    pub world: World,
    pub pbx: Bench,
    pub place: InstanceId,
    _state: TempDir,
}

impl Mailed {
    pub async fn open(backend: Backend) -> Self {
        let state = TempDir::new().unwrap();
        let world = world(backend, &state).await;
        let mut pbx = Bench::start().await;
        let mailbox = |number| json!({"number": number, "name": "Ann", "voicemail": {"enabled": true}});
        let tenants = [&world.acme, &world.globex]
            .map(|tenant| TestTenant::new(tenant.domain.as_str(), &[mailbox("1001"), mailbox("1002")]));
        pbx.serve(&tenants).await;
        let private = &pbx.pbx.private;
        let platform = operator::platform(None);
        let made = instances::create(
            &world.app,
            &platform,
            NewInstance {
                name: "pbx2".parse().unwrap(),
                node: "node1".parse().unwrap(),
                settings: InstanceSettings::Asterisk(private.settings().clone()),
                secrets: InstanceSecrets::of_control(private.secret().clone()),
            },
        );
        let place = made.await.unwrap().id;
        world
            .bench
            .sql("update tenants set instance_id = (select id from instances where name = 'pbx2')")
            .await;
        for tenant in [&world.acme, &world.globex] {
            world.revision(tenant).await;
            for number in ["1001", "1002"] {
                // Asterisk makes the folders.
                let asked = [("Context", tenant.domain.as_str()), ("Mailbox", number)];
                pbx.pbx.ami().list("VoicemailBoxSummary", &asked);
            }
        }
        Self {
            world,
            pbx,
            place,
            _state: state,
        }
    }

    /// Asks for a purge of what is older than ten days, with so many such messages in a box of the first tenant.
    pub async fn purge_of(&self, messages: usize) -> PurgeId {
        for number in 0..messages {
            self.put(&self.world.acme, "1001", number, 60);
        }
        self.look().await;
        self.world.keep(&self.world.acme, json!({"voicemail": 10})).await;
        self.world.purge(&self.world.acme).await
    }

    pub fn folder(&self, tenant: &Tenant, mailbox: &str) -> PathBuf {
        let spool = self.pbx.pbx.home().join("spool/voicemail");
        spool.join(tenant.domain.as_str()).join(mailbox).join("INBOX")
    }

    /// A message that was left so many days ago, of 100 bytes of sound.
    pub fn put(&self, tenant: &Tenant, mailbox: &str, number: usize, days: i64) {
        let folder = self.folder(tenant, mailbox);
        let text = format!(
            "[message]\ncallerid=\"C\" <555{number:04}>\norigtime={}\nmsg_id={}-{number:08x}\nduration=5\n",
            ago(days).as_second(),
            ago(days).as_second()
        );
        fs::write(folder.join(format!("msg{number:04}.txt")), text).unwrap();
        fs::write(folder.join(format!("msg{number:04}.wav")), [0; 100]).unwrap();
    }

    pub fn names(&self, tenant: &Tenant, mailbox: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder(tenant, mailbox)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// As whoever was killed leaves it who had noted which messages are about to go.
    pub async fn note(&self) {
        self.world
            .texts(
                "update purge_parts set found = 3, found_bytes = 300, \
                 after_at = (select max(left_at) from voicemail_messages), \
                 after_id = (select id from voicemail_messages order by left_at desc, id desc limit 1) returning kind",
            )
            .await;
        let noted = "insert into purge_messages (purge_id, position, voicemail_id, domain, mailbox, message, bytes, left_at, \
            place) select q.purge_id, q.position, m.id, m.domain, m.mailbox, m.message, m.bytes, m.left_at, 'node1 ' || i.voicemail_place \
            from purge_parts q cross join voicemail_messages m join instances i on i.id = m.instance_id \
            where q.ended_at is null returning message";
        assert!(!self.world.texts(noted).await.is_empty());
    }

    /// The PBX goes away for good when it is told this for the second time.
    pub async fn break_off_at(&self, order: &'static str) {
        let port = self.pbx.pbx.private.settings().ami_port;
        let relay = relay(port, order, || true);
        self.answers_at(port, relay).await;
    }

    /// This is done when the PBX is told that for the second time.
    pub async fn when_told(&self, order: &'static str, act: impl Fn() + Send + Sync + 'static) {
        let port = self.pbx.pbx.private.settings().ami_port;
        let relay = relay(port, order, move || {
            act();
            false
        });
        self.answers_at(port, relay).await;
    }

    /// Somebody calls a mail box to listen to it, until they are hung up by what is given.
    pub async fn listened(&self, tenant: &Tenant, mailbox: &str) -> Ami {
        let mut ami = self.pbx.pbx.ami();
        let data = format!("{mailbox}@{}", tenant.domain);
        ami.ask(
            "Originate",
            &[
                ("Channel", "Local/echo@switchyard-features/n"),
                ("Application", "VoiceMailMain"),
                ("Data", &data),
                ("Async", "true"),
            ],
        );
        until("somebody is in the mail box", || {
            let channels = self.pbx.pbx.ami().list("CoreShowChannels", &[]);
            channels
                .iter()
                .any(|channel| field(channel, "Application") == Some("VoiceMailMain"))
        })
        .await;
        ami
    }

    /// The PBX is where nobody answers; gives where that is.
    pub async fn is_away(&self) -> u16 {
        let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = nobody.local_addr().unwrap().port();
        drop(nobody);
        self.answers_at(self.pbx.pbx.private.settings().ami_port, port)
            .await;
        port
    }

    /// The PBX that was here is there.
    pub async fn answers_at(&self, here: u16, there: u16) {
        let moved = format!(
            "update instances set settings = replace(settings, '\"ami_port\":{here}', '\"ami_port\":{there}') \
             where name = 'pbx2' returning settings"
        );
        let moved = self.world.texts(&moved).await;
        assert!(moved[0].contains(&there.to_string()), "{moved:?}");
    }

    pub async fn look(&self) {
        voicemail::look(&self.world.app, self.place, None).await.unwrap();
    }
}

/// The port of a relay before another one of this host, which acts when a word is said for the second time, and says whether that
/// is the end. It listens until the test's process ends.
fn relay(to: u16, word: &'static str, act: impl Fn() -> bool + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (said, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let act = Arc::new(act);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", to));
            let (false, Ok(server)) = (is_over.load(Ordering::SeqCst), server) else {
                continue;
            };
            let (mut answers, mut asked) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut answers, &mut asked));
            let (said, is_over, act) = (Arc::clone(&said), Arc::clone(&is_over), Arc::clone(&act));
            thread::spawn(move || {
                pass(client, server, |text| {
                    let is_second = text.contains(word) && said.fetch_add(1, Ordering::SeqCst) == 1;
                    let ends = is_second && act();
                    is_over.fetch_or(ends, Ordering::SeqCst);
                    ends
                });
            });
        }
    });
    port
}

fn pass(mut client: TcpStream, mut server: TcpStream, ends: impl Fn(&str) -> bool) {
    let mut buffer = [0_u8; 16 * 1024];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]);
        if ends(&text) || server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
