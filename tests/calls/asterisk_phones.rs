//! Real SIP phones: who is in a call, how far it is, who may see it, and which phones can be reached.

use std::time::Duration;

use switchyard::domain::call::{CallDirection, CallState, Presence};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::ExtensionId;

use super::rig::Rig;
use super::support::sipp::{Account, Sipp};
use super::support::wait::{came, until};
use super::support::world::Phone;

fn account(phone: &Phone, domain: &str) -> Account {
    let mut account = Account::new(phone.number(), domain);
    phone.secret().clone_into(&mut account.secret);
    account
}

impl Rig {
    fn run(&self, scenario: &str, account: &Account, keys: &[(&str, &str)]) -> Sipp {
        Sipp::start(
            scenario,
            self.pbx.private.sip(),
            account,
            keys,
            self.pbx.directory.path(),
        )
    }

    async fn sign_in(&self, account: &Account) {
        let mut register = self.run("register", account, &[("as", &account.address())]);
        assert!(register.ended().await, "{:#?}", register.heard());
    }

    fn presence(&self, phone: &Phone) -> Option<Presence> {
        let asked = [(phone.extension.id, &phone.extension.number)];
        let presences =
            self.monitor
                .board
                .presences(self.acme.id, self.world.instance_id, &asked, SystemClock.now());
        presences[0]
    }
}

#[tokio::test]
async fn asterisk_o10_a_call_between_phones_rings_is_answered_and_ends() {
    let rig = Rig::start(Duration::from_secs(1)).await;
    until("it is known", || rig.monitor.is_fresh()).await;
    until("phones are known", || {
        rig.presence(&rig.phones[1]) == Some(Presence::Offline)
    })
    .await;
    let [ann, bob] = [0, 1].map(|index| account(&rig.phones[index], &rig.acme.domain));
    rig.sign_in(&bob).await;
    until("Bob's phone is there", || {
        rig.presence(&rig.phones[1]) == Some(Presence::Available)
    })
    .await;
    assert_eq!(rig.presence(&rig.phones[0]), Some(Presence::Offline));
    let phone = rig.run("answer", &bob, &[("media", "9")]);
    let target = format!("1002@{}", rig.acme.domain);
    let mut call = rig.run("call", &ann, &[("target", &target), ("media", "9")]);
    call.status(200).await;
    until("it is answered", || {
        let calls = rig
            .monitor
            .board
            .of_tenant(rig.acme.id, rig.world.instance_id, SystemClock.now())
            .0;
        calls
            .first()
            .is_some_and(|call| call.state == CallState::Answered)
    })
    .await;
    assert_eq!(rig.presence(&rig.phones[1]), Some(Presence::OnCall));
    let active = rig.calls(&rig.acme).await;
    assert_eq!(active.calls.len(), 1);
    let shown = &active.calls[0];
    assert_eq!((shown.from.as_str(), shown.to.as_str()), ("1001", "1002"));
    assert_eq!(
        (shown.direction, active.freshness.stale),
        (CallDirection::Internal, false)
    );
    let ids: Vec<ExtensionId> = rig.phones.iter().map(|phone| phone.extension.id).collect();
    assert_eq!(shown.extension_ids, ids);
    assert!(shown.answered_at.is_some() && shown.started_at.is_some());
    assert_eq!(rig.calls(&rig.globex).await.calls.len(), 0);
    rig.pbx
        .ami()
        .ask("Hangup", &[("Channel", "/^PJSIP.*/"), ("Cause", "16")]);
    assert!(call.ended().await, "{:#?}", call.heard());
    let over = || {
        rig.monitor
            .board
            .of_tenant(rig.acme.id, rig.world.instance_id, SystemClock.now())
            .0
            .is_empty()
    };
    assert!(came(over).await);
    drop(phone);
}
