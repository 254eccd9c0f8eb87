//! The variable that says which rows a user is served from, so that one question to FreeSWITCH proves all of them.

use std::collections::BTreeMap;

use super::RenderError;
use crate::domain::digest::Digest;
use crate::domain::fusionpbx_row::{FusionColumn, FusionRow, FusionTable, FusionValue, ROW_VARIABLE, id_of};
use crate::domain::ids::{ExtensionId, TenantId};

use FusionValue::{Flag, Text};

/// Nobody may find it out from what every channel shows.
const PIN: &str = "voicemail_password";

/// The setting of one extension, about its own rows. What its phone signs in with is asked for by itself: from a digest of
/// it a weak password could be guessed.
pub(super) fn row(
    tenant_id: TenantId,
    extension: ExtensionId,
    rows: &[FusionRow],
) -> Result<FusionRow, RenderError> {
    let values = [
        ("domain_uuid", Text(tenant_id.to_string())),
        ("extension_uuid", Text(extension.to_string())),
        ("extension_setting_type", Text("variable".to_owned())),
        ("extension_setting_name", Text(ROW_VARIABLE.to_owned())),
        ("extension_setting_value", Text(digest(rows)?)),
        ("extension_setting_enabled", Flag(true)),
    ];
    let values = values.map(|(column, value)| (FusionColumn::of(column), value));
    Ok(FusionRow {
        table: FusionTable::ExtensionSettings,
        id: id_of(extension.uuid(), ROW_VARIABLE),
        values: BTreeMap::from(values),
    })
}

fn digest(rows: &[FusionRow]) -> Result<String, RenderError> {
    let rows = rows
        .iter()
        .filter(|row| row.table != FusionTable::ExtensionSettings);
    let mut parts = Vec::new();
    for row in rows {
        let ours = row.values.iter().filter(|(column, _)| column.as_str() != PIN);
        let ours: BTreeMap<_, _> = ours.collect();
        parts.push(super::line(row.table.artifact(), &(row.table, row.id, ours))?);
    }
    Ok(Digest::of_parts(parts.iter().map(String::as_bytes)).short())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn shown(values: &[(&'static str, &str)], hash: &str) -> String {
        let row = |table, values: &[(&'static str, &str)]| FusionRow {
            table,
            id: Uuid::from_u128(1),
            values: values
                .iter()
                .map(|(column, value)| (FusionColumn::of(column), Text((*value).to_owned())))
                .collect(),
        };
        let rows = [
            row(FusionTable::Extensions, values),
            row(
                FusionTable::ExtensionSettings,
                &[("extension_setting_value", hash)],
            ),
        ];
        digest(&rows).unwrap()
    }

    #[test]
    fn it_tells_every_column_of_ours_and_neither_a_hash_nor_the_pin() {
        let one = shown(&[("toll_allow", "local"), ("limit_max", "5")], "a");
        assert_ne!(one, shown(&[("toll_allow", "domestic"), ("limit_max", "5")], "a"));
        assert_ne!(one, shown(&[("toll_allow", "local")], "a"));
        assert_eq!(one, shown(&[("toll_allow", "local"), ("limit_max", "5")], "b"));
        let pin = [("toll_allow", "local"), ("limit_max", "5"), (PIN, "246813")];
        assert_eq!(one, shown(&pin, "a"));
        // As we rendered them: what users make of them by their phones is in no digest.
        let forward = |to| shown(&[("toll_allow", "local"), ("forward_all_destination", to)], "a");
        assert_ne!(forward("1002"), forward("1003"));
    }
}
