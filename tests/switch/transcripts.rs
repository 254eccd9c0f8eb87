//! Each recorded transcript, asked for again: what comes is what came then, byte for byte.
//!
//! The commands of the recordings are known by their answers only. Where several commands have the same answer, one of them
//! is asked here.

use crate::freeswitch::{Caller, Effect, Fault, Figures, FreeSwitch, NewCall, Phone};
use crate::fusionpbx::Booleans;
use crate::replay::Replay;
use crate::rig::{DOMAIN, Demo};

const DELETION: &str = "api lua ~local c=require(\"resources.functions.cache\"); \
                        stream:write(tostring(c.del(\"directory:1001@demo.local\")))";

fn figures(minutes: i64, micros: i64, sessions: usize, idle: f64) -> Figures {
    Figures {
        uptime: Some(minutes * 60_000_000 + micros),
        sessions_since_start: sessions,
        peak: 4,
        idle,
    }
}

/// The two phones that were signed in when it was recorded.
fn phones() -> [Phone; 2] {
    [
        ("1001", 5099, "1-15716", 1_795_188_319),
        ("1002", 5098, "1-18622", 1_795_188_398),
    ]
    .map(|(user, port, call, expires)| Phone {
        call_id: format!("{call}@127.0.0.1"),
        expires,
        ..Phone::at("internal", user, DOMAIN, port, 0)
    })
}

#[tokio::test]
async fn t01_a_password_status_version_and_exit() {
    let freeswitch = FreeSwitch::start().await;
    freeswitch.set_figures(figures(12, 49_176_714, 11, 11.0));
    let mut replay = Replay::of("01-auth-ok", &freeswitch).await;
    replay.sign_in().await;
    replay.say("api status", 1).await;
    replay.say("api version", 1).await;
    replay.say("exit", 2).await;
    replay.ends().await;
}

#[tokio::test]
async fn t02_a_wrong_password() {
    let freeswitch = FreeSwitch::start().await;
    let mut replay = Replay::of("02-auth-wrong-password", &freeswitch).await;
    replay.say("auth wrong", 2).await;
    replay.ends().await;
}

#[tokio::test]
async fn t03_a_command_before_any_password() {
    let freeswitch = FreeSwitch::start().await;
    let mut replay = Replay::of("03-command-before-auth", &freeswitch).await;
    replay.say("api status", 1).await;
    replay.ends().await;
}

#[tokio::test]
async fn t04_tables_without_a_row_and_of_two_phones() {
    let freeswitch = FreeSwitch::start().await;
    let mut replay = Replay::of("04-show-empty", &freeswitch).await;
    replay.sign_in().await;
    for command in [
        "show channels as json",
        "show calls as json",
        "show channels",
        "show channels count as json",
        "show calls count",
        "show calls count as json",
    ] {
        replay.say(&format!("api {command}"), 1).await;
    }
    for phone in phones() {
        freeswitch.sign_in(&phone);
    }
    replay.say("api show registrations as json", 1).await;
    replay.ends().await;
}

#[tokio::test]
async fn t05_what_is_not_known_and_users_of_the_tables() {
    for booleans in [Booleans::Native, Booleans::Text] {
        let Demo {
            freeswitch,
            fusionpbx,
            ..
        } = Demo::start(booleans).await;
        freeswitch.sign_in(&phones()[0]);
        let mut replay = Replay::of("05-errors", &freeswitch).await;
        replay.sign_in().await;
        for command in [
            "nosuchcommand",
            "api nosuchapi",
            "api",
            "api uuid_kill 00000000-0000-0000-0000-000000000000",
            "api user_exists id 9999 demo.local",
            "api user_exists id 1001 demo.local",
            "api user_data 1001@demo.local var domain_name",
            "api user_data 9999@demo.local param a1-hash",
            "api reloadxml",
            "api sofia_contact */1001@demo.local",
            "api sofia_contact */1003@demo.local",
        ] {
            replay.say(command, 1).await;
        }
        replay.ends().await;
        drop((freeswitch, fusionpbx));
    }
}

#[tokio::test]
async fn t06_a_call_in_events_of_json() {
    let freeswitch = FreeSwitch::start().await;
    freeswitch.novelties().next_uuids([
        "a8acc348-4397-4797-9270-6dd5f749b74f",
        "7e9810c3-a905-4164-8775-c97517b074a4",
    ]);
    // It places no call; the recorded end of the job is among the events.
    freeswitch
        .faults()
        .add(Fault::at("originate", Effect::JobWithoutEnd));
    let mut replay = Replay::of("06-events-json-loopback-call", &freeswitch).await;
    replay.sign_in().await;
    replay.say("event json ALL", 1).await;
    replay.say("api create_uuid", 1).await;
    replay
        .say(
            "bgapi originate {origination_caller_id_number=1001}loopback/*9196/demo.local &park()",
            1,
        )
        .await;
    replay.events(&freeswitch).await;
    // The legs of a call that goes back to FreeSWITCH itself have columns that are not simulated; how many there are, is.
    freeswitch.add_call(&NewCall::within(DOMAIN, "1001", "1002"));
    let printed = body(&replay.messages[0]);
    freeswitch
        .faults()
        .add(Fault::at("show channels as json", Effect::Print(printed)));
    replay.say("api show channels as json", 1).await;
    replay.say("api show channels count", 1).await;
    replay.say("api hupall MANAGER_REQUEST", 1).await;
    assert_eq!(freeswitch.calls(), [""; 0]);
    replay.events(&freeswitch).await;
    replay.say("noevents", 1).await;
    replay.say("exit", 2).await;
    replay.ends().await;
}

/// What a recorded answer of an API function printed.
fn body(message: &[u8]) -> String {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let (headers, body) = text.split_once("\n\n").unwrap();
    assert!(headers.starts_with("Content-Type: api/response"), "{headers}");
    body.to_owned()
}

#[tokio::test]
async fn t07_a_call_in_events_of_text_and_the_end_of_all_calls() {
    let freeswitch = FreeSwitch::start().await;
    let placed = "+OK ec6703c3-7ef2-4952-80b3-9bd693e942ab\n".to_owned();
    freeswitch
        .faults()
        .add(Fault::at("originate", Effect::Print(placed)));
    let mut replay = Replay::of("07-event-plain-loopback-call", &freeswitch).await;
    replay.sign_in().await;
    replay.say("event plain ALL", 1).await;
    replay
        .say("api originate loopback/*9196/demo.local &park()", 1)
        .await;
    replay.events(&freeswitch).await;
    replay.say("api hupall MANAGER_REQUEST", 1).await;
    replay.events(&freeswitch).await;
    replay.ends().await;
}

#[tokio::test]
async fn t08_an_event_of_kind_custom() {
    let freeswitch = FreeSwitch::start().await;
    freeswitch.novelties().stop_clock(1_795_184_955_169_170);
    freeswitch
        .novelties()
        .next_uuids(["f9925fc0-ce3f-4016-983f-2924fa98f831"]);
    freeswitch.novelties().next_event(2411);
    let mut replay = Replay::of("08-sendevent-cache", &freeswitch).await;
    replay.sign_in().await;
    replay.say("event json CUSTOM fusion::file", 1).await;
    let sent = "sendevent CUSTOM\nEvent-Subclass: fusion::file\nAPI-Command: cache\n\
                API-Command-Argument: delete directory.1001@demo.local";
    replay.say(sent, 2).await;
    replay.ends().await;
}

#[tokio::test]
async fn t09_a_key_of_the_cache_is_deleted_by_lua() {
    let Demo {
        freeswitch,
        fusionpbx,
        ..
    } = Demo::start(Booleans::Native).await;
    let mut replay = Replay::of("09-lua-cache-delete", &freeswitch).await;
    replay.sign_in().await;
    replay.say(DELETION, 1).await;
    replay
        .say("api lua ~local c=require(\"no.such.module\")", 1)
        .await;
    replay.say("api hostname", 1).await;
    replay.ends().await;
    drop((freeswitch, fusionpbx));
}

#[tokio::test]
async fn t10_a_job_with_a_name_and_its_end() {
    let freeswitch = FreeSwitch::start().await;
    freeswitch.novelties().stop_clock(1_795_184_961_709_165);
    freeswitch.novelties().next_event(2419);
    freeswitch.set_figures(figures(13, 23_527_364, 15, 4.57));
    let mut replay = Replay::of("10-bgapi", &freeswitch).await;
    replay.sign_in().await;
    replay.say("event plain BACKGROUND_JOB", 1).await;
    replay
        .say("bgapi status\nJob-UUID: 11111111-2222-3333-4444-555555555555", 2)
        .await;
    replay.ends().await;
}

#[tokio::test]
async fn t11_phones_as_a_table_as_xml_and_as_text() {
    let freeswitch = FreeSwitch::start().await;
    freeswitch.novelties().stop_clock(1_795_184_964_000_000);
    for phone in phones() {
        freeswitch.sign_in(&phone);
    }
    let mut replay = Replay::of("11-registrations", &freeswitch).await;
    replay.sign_in().await;
    replay.say("api show registrations as json", 1).await;
    replay.say("api sofia xmlstatus profile internal reg", 1).await;
    replay.say("api sofia status profile external reg", 1).await;
    replay.ends().await;
}

#[tokio::test]
async fn t12_status_in_json() {
    let freeswitch = FreeSwitch::start().await;
    freeswitch.set_figures(figures(13, 28_057_015, 15, 3.3));
    let mut replay = Replay::of("12-json-api", &freeswitch).await;
    replay.sign_in().await;
    replay
        .say("api json {\"command\":\"status\",\"data\":\"\"}", 1)
        .await;
    replay.ends().await;
}

#[tokio::test]
async fn t13_commands_in_pieces_and_several_in_one_piece() {
    let freeswitch = FreeSwitch::start().await;
    freeswitch.set_figures(figures(13, 29_965_346, 15, 1.5));
    let mut replay = Replay::of("13-split-write", &freeswitch).await;
    for piece in ["au", "th Clue", "Con\n", "\n"] {
        replay.write(piece).await;
        tokio::task::yield_now().await;
    }
    replay.comes(1).await;
    replay.write("api status\n").await;
    replay.write("\n").await;
    replay.comes(1).await;
    replay.write("api show channels\n\napi show calls\n\n").await;
    replay.comes(2).await;
    replay.ends().await;
}

#[tokio::test]
async fn t14_phones_a_call_and_a_phone_that_is_signed_out() {
    let freeswitch = FreeSwitch::start().await;
    let [_, phone] = phones();
    freeswitch.sign_in(&phone);
    let mut replay = Replay::of("14-events-register-and-sip-call", &freeswitch).await;
    replay.sign_in().await;
    replay.say("event json ALL", 1).await;
    replay.events(&freeswitch).await;
    freeswitch.novelties().stop_clock(1_795_186_157_949_156);
    freeswitch.novelties().next_uuids([
        "20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b",
        "d1b7b7c5-395d-45f7-9a2f-38a0c6a6c2d2",
    ]);
    freeswitch.add_call(&NewCall {
        caller: Caller::Extension {
            number: "1001".to_owned(),
            name: "Alice2".to_owned(),
        },
        ..NewCall::within(DOMAIN, "1001", "1002")
    });
    replay.say("api show channels as json", 1).await;
    replay.events(&freeswitch).await;
    replay
        .say("api sofia profile internal flush_inbound_reg 1002@demo.local", 1)
        .await;
    assert_eq!(freeswitch.phones(), []);
    replay.events(&freeswitch).await;
    replay.ends().await;
}

#[tokio::test]
async fn t15_an_address_that_is_not_allowed() {
    let freeswitch = FreeSwitch::start().await;
    freeswitch.faults().deny_address(true);
    let mut replay = Replay::of("15-acl-denied", &freeswitch).await;
    replay.comes(1).await;
    replay.ends().await;
}
