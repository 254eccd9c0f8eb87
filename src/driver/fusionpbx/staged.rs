//! A generation as it was staged: rows and markers, read back from its files.

use std::collections::BTreeMap;
use std::io;

use serde::Deserialize;

use crate::domain::artifact::Artifact;
use crate::domain::fusionpbx_row::FusionRow;

/// A generation as it lies there, unread.
pub type Texts = BTreeMap<Artifact, String>;

/// What a FusionPBX's database is to hold of ours.
#[derive(Default)]
pub struct Generation {
    /// All rows.
    pub rows: Vec<FusionRow>,
    /// The marker of each artifact; none in a generation that serves nothing.
    pub markers: BTreeMap<Artifact, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Marker { marker: String },
    Row(FusionRow),
}

impl Generation {
    /// Adds what lines of one artifact hold.
    pub fn add<'a>(
        &mut self,
        artifact: Artifact,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> io::Result<()> {
        for line in lines {
            let read = serde_json::from_str(line).map_err(|_| {
                // What serde says of it, or the line itself, might repeat a secret.
                let message = format!("a line of {artifact} is no row of ours; deploy again");
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
            match read {
                Line::Marker { marker } => drop(self.markers.insert(artifact, marker)),
                Line::Row(row) => self.rows.push(row),
            }
        }
        Ok(())
    }
}

/// What a setting of each extension holds, by the extension's id.
pub fn settings<'a>(text: &'a str, name: &str) -> BTreeMap<&'a str, &'a str> {
    let name = format!("\"extension_setting_name\":\"{name}\"");
    let lines = text.lines().filter(|line| line.contains(&name));
    let of = |line| {
        let extension = quoted(line, "\"extension_uuid\":\"")?;
        Some((extension, quoted(line, "\"extension_setting_value\":\"")?))
    };
    lines.filter_map(of).collect()
}

/// The quoted text that begins behind `key`.
pub fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(key)?;
    rest.split_once('"').map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_marker_are_read_and_anything_else_is_refused_without_a_word_of_it() {
        let text = "{\"table\":\"v_domains\",\"id\":\"00000000-0000-0000-0000-000000000001\",\"values\":{\"domain_name\":\"a.b\"}}\n\
                    {\"marker\":\"sy-1\"}\n";
        let mut generation = Generation::default();
        generation.add(Artifact::ExtensionRows, text.lines()).unwrap();
        assert_eq!(generation.rows.len(), 1);
        assert_eq!(generation.markers[&Artifact::ExtensionRows], "sy-1");
        for line in [
            "secret",
            "{\"table\":\"v_users\",\"id\":\"secret\",\"values\":{}}",
        ] {
            let error = generation
                .add(Artifact::ExtensionRows, line.lines())
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("a line of extensions.jsonl") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}
