//! Calls as they are shown, and how they are ended.

use std::time::Duration;

use serde_json::{Value, json};

use crate::freeswitch::{Caller, FreeSwitch, NewCall};
use crate::rig::{DOMAIN, LONG, word};

fn from_outside(answered: bool) -> NewCall {
    NewCall {
        caller: Caller::Outside {
            number: "5559876".to_owned(),
            name: "Carrier".to_owned(),
            host: "carrier.example".to_owned(),
            ip: "127.0.0.9".to_owned(),
            dialled: "15551234".to_owned(),
        },
        answered,
        ..NewCall::within(DOMAIN, "", "1002")
    }
}

#[tokio::test]
async fn the_rows_of_a_call_are_those_that_were_recorded() {
    let mut freeswitch = FreeSwitch::start().await;
    let client = freeswitch.client().await;
    let within = NewCall {
        caller: Caller::Extension {
            number: "1001".to_owned(),
            name: "Alice2".to_owned(),
        },
        rings: 1,
        ..NewCall::within(DOMAIN, "1001", "1002")
    };
    for (file, call, micros, uuids) in [
        (
            "show-channels-sip-call.json",
            within,
            1_795_184_873_969_161,
            [
                "7cf316bd-e66b-4121-b063-0b7d618b92c7",
                "195f9226-ed3e-426e-ab12-b2a1f5cbd6fa",
            ],
        ),
        (
            "show-channels-inbound-did.json",
            from_outside(true),
            1_795_186_779_000_000,
            [
                "3e705545-29a8-43fa-a705-31652ffa0bcd",
                "e2fd18a7-c7b1-452e-97b6-a7d9359a2faf",
            ],
        ),
    ] {
        freeswitch.novelties().stop_clock(micros);
        freeswitch.novelties().next_uuids(uuids);
        freeswitch.add_call(&call);
        let text = client.api("show channels as json", LONG).await.unwrap();
        let recorded =
            std::fs::read_to_string(format!("{}/tests/data/esl/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let [got, expected] = [text, recorded].map(|text| serde_json::from_str::<Value>(&text).unwrap());
        assert_eq!(got, expected, "{file}");
        client.hang_up(&word(uuids[1]), LONG).await.unwrap();
    }
}

#[tokio::test]
async fn calls_are_counted_and_legs_are_counted() {
    let mut freeswitch = FreeSwitch::start().await;
    let client = freeswitch.client().await;
    freeswitch.add_call(&NewCall::within(DOMAIN, "1001", "1002"));
    freeswitch.add_call(&from_outside(false));
    for (table, count) in [("channels", 3), ("calls", 2)] {
        let text = client
            .api(&format!("show {table} count as json"), LONG)
            .await
            .unwrap();
        assert_eq!(text, format!("{{\"row_count\":{count},\"rows\":[]}}"));
    }
    let calls: Value = serde_json::from_str(&client.api("show calls as json", LONG).await.unwrap()).unwrap();
    assert_eq!(calls["rows"][0]["b_presence_id"], "1002@demo.local");
    assert_eq!(calls["rows"][1]["b_uuid"], "");
    let status = client.status(LONG).await.unwrap();
    assert_eq!(
        (
            status.sessions.active,
            status.sessions.peak,
            status.sessions.total
        ),
        (3, 3, 3)
    );
}

#[tokio::test]
async fn a_call_from_outside_that_nobody_answered_names_no_tenant() {
    let mut freeswitch = FreeSwitch::start().await;
    let client = freeswitch.client().await;
    let uuid = word(&freeswitch.add_call(&from_outside(false)));
    let leg = client.channel(&uuid, LONG).await.unwrap().unwrap();
    assert_eq!(leg.get("Caller-Context"), Some("public"));
    assert_eq!(leg.get("Channel-Presence-ID"), Some("5559876@carrier.example"));
    assert_eq!(leg.get("variable_domain_name"), None);
    client.hang_up_domain(&word(DOMAIN), LONG).await.unwrap();
    assert_eq!(freeswitch.calls().len(), 1);
}

#[tokio::test]
async fn calls_of_one_domain_end_and_others_do_not() {
    let mut freeswitch = FreeSwitch::start().await;
    let client = freeswitch.client().await;
    freeswitch.add_call(&NewCall::within(DOMAIN, "1001", "1002"));
    freeswitch.add_call(&from_outside(true));
    let other = freeswitch.add_call(&NewCall::within("demo.local.example", "1001", "1002"));
    client.hang_up_domain(&word("DEMO.local"), LONG).await.unwrap();
    assert_eq!(freeswitch.calls().len(), 3, "letters count");
    client.hang_up_domain(&word(DOMAIN), LONG).await.unwrap();
    assert_eq!(freeswitch.calls(), [other]);
    assert_eq!(freeswitch.journal().with("hupall").len(), 2);
}

#[tokio::test]
async fn one_call_ends_by_either_of_its_legs() {
    let mut freeswitch = FreeSwitch::start().await;
    let client = freeswitch.client().await;
    freeswitch.novelties().next_uuids(["leg-a", "leg-b"]);
    freeswitch.add_call(&NewCall::within(DOMAIN, "1001", "1002"));
    freeswitch.add_call(&NewCall::within(DOMAIN, "1001", "1002"));
    assert!(client.hang_up(&word("leg-b"), LONG).await.unwrap());
    assert!(!client.hang_up(&word("leg-a"), LONG).await.unwrap());
    assert_eq!(client.channel(&word("leg-a"), LONG).await.unwrap(), None);
    assert_eq!(freeswitch.calls().len(), 1);
}

#[tokio::test]
async fn the_tables_lag_behind_the_calls() {
    let mut freeswitch = FreeSwitch::start().await;
    let client = freeswitch.client().await;
    freeswitch.lag(Duration::from_hours(1));
    freeswitch.add_call(&NewCall::within(DOMAIN, "1001", "1002"));
    assert_eq!(client.channels(LONG).await.unwrap(), []);
    freeswitch.lag(Duration::ZERO);
    assert_eq!(client.channels(LONG).await.unwrap().len(), 2);
    freeswitch.lag(Duration::from_hours(1));
    client.hang_up_domain(&word(DOMAIN), LONG).await.unwrap();
    assert_eq!(freeswitch.calls(), [""; 0]);
    let shown = client.api("show channels as json", LONG).await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&shown).unwrap(),
        json!({ "row_count": 0 }),
        "not shown yet"
    );
    freeswitch.lag(Duration::ZERO);
    assert_eq!(client.channels(LONG).await.unwrap(), []);
}
