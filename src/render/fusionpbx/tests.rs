//! Golden rows and properties of what is rendered.

use std::collections::BTreeMap;

use super::*;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable, FusionValue};
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
        let active = sample.config.active().count();
        assert_eq!(
            [FusionTable::Extensions, FusionTable::ExtensionSettings].map(of),
            [active; 2]
        );
        assert_eq!(of(FusionTable::Dialplans), usize::from(active > 0));
    }
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

/// FusionPBX escapes no `&`, and FreeSWITCH looks for variables in what it is given.
#[test]
fn no_value_but_our_own_dialplan_holds_what_xml_or_freeswitch_would_take_for_more() {
    for row in rendered(true).iter().flat_map(rows) {
        for (column, value) in &row.values {
            let FusionValue::Text(text) = value else { continue };
            let own = matches!(column.as_str(), "dialplan_xml" | "limit_destination");
            assert!(
                own || !text.contains(|c: char| "<>&'\"$`{}\\;|!".contains(c) || c.is_control()),
                "{}: {text}",
                column.as_str()
            );
        }
    }
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
