//! Golden rows and properties of what is rendered.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::extension_input::ExtensionInput;
use crate::domain::fusionpbx_row::{FusionColumn, FusionRow, FusionTable, FusionValue};
use crate::domain::tenant::Service;
use crate::render::sample::Sample;

fn set() -> TemplateSet {
    TemplateSet::built_in().unwrap()
}

/// Every sample, with its secrets or without.
fn rendered(real: bool) -> Vec<Fragments> {
    let render = |sample: Sample| {
        let secrets = if real {
            Secrets::Real(&sample.secrets)
        } else {
            Secrets::Masked
        };
        tenant(&set(), sample.tenant_id, &sample.config, secrets).unwrap()
    };
    samples().into_iter().map(render).collect()
}

fn rows(fragments: &Fragments) -> Vec<FusionRow> {
    let lines = fragments.values().flat_map(|text| text.lines());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_full_sample_renders_as_reviewed() {
    let fragments = rendered(true).pop().unwrap();
    for artifact in Artifact::of(PbxKind::FusionPbx) {
        insta::assert_snapshot!(artifact.as_str(), fragments[artifact]);
    }
}

#[test]
fn every_sample_is_whole_rows_of_which_no_two_have_one_id() {
    for (fragments, sample) in rendered(true).iter().zip(samples()) {
        let rows = rows(fragments);
        let mut ids: Vec<_> = rows.iter().map(|row| (row.table, row.id)).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), rows.len());
        let of = |table| rows.iter().filter(|row| row.table == table).count();
        assert_eq!(of(FusionTable::Domains), 1);
        let all = sample.config.extensions.len();
        let of_extensions = [
            FusionTable::Extensions,
            FusionTable::ExtensionSettings,
            FusionTable::Voicemails,
        ];
        // Of settings what its phone signs in with, and which rows it is made of.
        assert_eq!(of_extensions.map(of), [all, 2 * all, all]);
        assert_eq!(of(FusionTable::Dialplans), usize::from(all > 0));
    }
}

/// What others wrote into their rows would be gone with them.
#[test]
fn o29_what_is_not_served_has_the_same_rows_switched_off() {
    let switches = |sample: &Sample| {
        let secrets = Secrets::Real(&sample.secrets);
        let rows = rows(&tenant(&set(), sample.tenant_id, &sample.config, secrets).unwrap());
        let on = |row: &FusionRow| {
            let columns = ["enabled", "voicemail_enabled", "dialplan_enabled"];
            let found = columns
                .iter()
                .find_map(|name| row.values.get(&FusionColumn::of(name)));
            found.map(|value| serde_json::to_value(value).unwrap())
        };
        let rows = rows.iter();
        rows.map(|row| (row.table, row.id, on(row))).collect::<Vec<_>>()
    };
    let mut sample = samples().pop().unwrap();
    let before = switches(&sample);
    sample.config = sample.config.under(Service::Blocked);
    let blocked = switches(&sample);
    assert_eq!(blocked.len(), before.len());
    for ((table, id, was), (same_table, same_id, is)) in before.into_iter().zip(blocked) {
        assert_eq!((table, id), (same_table, same_id));
        assert_eq!(is, was.map(|_| json!(false)), "{table} {id}");
    }
    sample.config = sample.config.under(Service::Gone);
    assert_eq!(switches(&sample).len(), 1);
}

#[test]
fn the_marker_is_a_line_of_its_own() {
    for artifact in Artifact::of(PbxKind::FusionPbx) {
        assert_eq!(
            instance(*artifact, "sy-0123456789abcdef").unwrap(),
            "{\"marker\":\"sy-0123456789abcdef\"}\n"
        );
    }
}

/// FusionPBX escapes no `&`, its handler is Lua, and FreeSWITCH looks for variables and lists in what it is given.
fn means_something(text: &str) -> bool {
    text.contains(|c: char| "<>&'\"$`{}[]\\;|!^~=#%*?".contains(c) || c.is_control())
}

/// What of a row is neither our own dialplan nor a word of FreeSWITCH's that we write.
fn active(row: &FusionRow) -> Vec<String> {
    let is_own = |column: &str| matches!(column, "dialplan_xml" | "limit_destination");
    let found = |(column, value): (&FusionColumn, &FusionValue)| match value {
        FusionValue::Text(text) if !is_own(column.as_str()) && means_something(text) => {
            Some(format!("{}: {text}", column.as_str()))
        }
        _ => None,
    };
    row.values.iter().filter_map(found).collect()
}

#[test]
fn no_value_but_our_own_dialplan_holds_what_xml_or_freeswitch_would_take_for_more() {
    for row in rendered(true).iter().flat_map(rows) {
        assert_eq!(active(&row), [""; 0]);
    }
}

/// A text with what means something to somebody in every place.
fn hostile() -> impl Strategy<Value = String> {
    "[A-Za-z0-9 <>&'\"$`{}\\[\\]\\\\;|!^~=#%*?äø.,-]{0,40}"
}

proptest! {
    /// Whatever the types let through.
    #[test]
    fn of_no_configuration_that_the_types_take_a_row_holds_more_than_it_says(
        name in hostile(),
        tenant_name in hostile(),
        caller in hostile(),
        email in "[A-Za-z0-9!#$%&'*+/=?^_`{}|~.-]{1,20}@[a-z]{1,8}[.][a-z]{2,5}",
        number in "[+]?[0-9]{2,15}",
    ) {
        let input = json!({
            "number": "1001", "name": name, "caller_id": {"name": caller, "number": number},
            "voicemail": {"enabled": true, "email": email}, "forward": {"busy": number},
        });
        let input: ExtensionInput = serde_json::from_value(input).unwrap();
        let (Ok(parsed), Ok(tenant_name)) = (input.parse(), tenant_name.parse()) else {
            return Ok(());
        };
        let mut sample = samples().pop().unwrap();
        sample.config.name = tenant_name;
        sample.config.extensions.truncate(1);
        sample.config.extensions[0].settings = parsed.settings;
        let secrets = Secrets::Real(&sample.secrets);
        let fragments = tenant(&set(), sample.tenant_id, &sample.config, secrets).unwrap();
        for row in rows(&fragments) {
            prop_assert_eq!(active(&row), Vec::<String>::new());
        }
    }
}

#[test]
fn a_plain_address_is_written_and_another_one_is_not() {
    let mail_to = |email: &str| {
        let mut sample = samples().pop().unwrap();
        let id = sample.config.extensions[1].id;
        sample.config.extensions[1].settings.voicemail.email = Some(email.parse().unwrap());
        let secrets = Secrets::Real(&sample.secrets);
        let fragments = tenant(&set(), sample.tenant_id, &sample.config, secrets).unwrap();
        let rows = rows(&fragments);
        let mailbox = rows.iter().find(|row| row.id == id_of(id.uuid(), "voicemail"));
        let column = FusionColumn::of("voicemail_mail_to");
        serde_json::to_value(&mailbox.unwrap().values[&column]).unwrap()
    };
    assert_eq!(mail_to("zoe.x+y@acme.example.com"), "zoe.x+y@acme.example.com");
    assert_eq!(mail_to("`&'@acme.example.com"), json!(null));
}

#[test]
fn no_clear_secret_is_rendered_for_a_phone_and_a_masked_row_holds_none_at_all() {
    let sample = samples().pop().unwrap();
    let extension = &sample.config.extensions[1];
    let ha1 = sample.secrets[&extension.id]
        .sip
        .ha1(&extension.number, &sample.config.domain);
    let real: String = rendered(true).pop().unwrap().into_values().collect();
    assert!(real.contains(ha1.expose()) && real.contains("864209") && !real.contains("SampleSecretSample"));
    let masked: String = rendered(false).pop().unwrap().into_values().collect();
    assert!(!masked.contains(ha1.expose()) && !masked.contains("864209"));
    assert!(masked.contains("(hidden)"));
}

#[test]
fn an_extension_without_a_secret_fails_the_render_instead_of_being_open() {
    let sample = samples().pop().unwrap();
    let secrets = BTreeMap::new();
    let rendered = tenant(&set(), sample.tenant_id, &sample.config, Secrets::Real(&secrets));
    let error = rendered.err().unwrap().to_string();
    assert!(error.contains("extension 1001 has no secret"), "{error}");
}

#[test]
fn the_same_snapshot_gives_the_same_bytes() {
    assert!(rendered(true) == rendered(true));
}

/// It would end every dialplan of a domain.
#[test]
fn a_dialplan_that_is_left_open_is_found_by_the_check_and_by_every_render() {
    let mut files = set().files().clone();
    files.insert(
        DIALPLAN.to_owned(),
        "<extension name=\"echo\">\n  <condition>\n</extension>\n".to_owned(),
    );
    let broken = TemplateSet::from_files(files).unwrap();
    let sample = samples().pop().unwrap();
    let secrets = Secrets::Real(&sample.secrets);
    let rendered = tenant(&broken, sample.tenant_id, &sample.config, secrets);
    for error in [rendered.err(), check(&broken)] {
        let error = error.unwrap().to_string();
        assert!(
            error.contains("`fusionpbx/dialplan.xml`") && error.contains("line 3"),
            "{error}"
        );
    }
}
