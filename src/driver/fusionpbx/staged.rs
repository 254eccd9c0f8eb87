//! A generation as it was staged: rows and markers, read back from its files.

use std::collections::BTreeMap;
use std::io;

use memchr::{memchr, memmem, memrchr};
use serde::Deserialize;

use crate::domain::artifact::Artifact;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable};

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

/// What settings of extensions hold, by the extension's id and the setting's name.
pub fn settings<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<(&'a str, &'a str), &'a str> {
    let of = |line| {
        let extension = quoted(line, "\"extension_uuid\":\"")?;
        let name = quoted(line, "\"extension_setting_name\":\"")?;
        Some(((extension, name), quoted(line, "\"extension_setting_value\":\"")?))
    };
    lines
        .filter(|line| is_of(line, FusionTable::ExtensionSettings))
        .filter_map(of)
        .collect()
}

/// Whether a line holds a row of a table.
pub fn is_of(line: &str, table: FusionTable) -> bool {
    let behind = line.strip_prefix("{\"table\":\"");
    let behind = behind.and_then(|line| line.strip_prefix(table.as_str()));
    behind.is_some_and(|line| line.starts_with('"'))
}

/// The lines in which a text stands: of a large box most are passed over in one go.
pub fn lines_with<'a>(text: &'a str, wanted: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let finder = memmem::Finder::new(wanted).into_owned();
    let mut rest = text;
    std::iter::from_fn(move || {
        let (before, behind) = rest.split_at_checked(finder.find(rest.as_bytes())?)?;
        let begin = memrchr(b'\n', before.as_bytes()).map_or(0, |end| end + 1);
        let end = memchr(b'\n', behind.as_bytes()).map_or(rest.len(), |end| before.len() + end);
        let line = rest.get(begin..end)?;
        rest = rest.get(end..)?;
        Some(line)
    })
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
    fn lines_are_found_once_each_wherever_the_text_stands_in_them() {
        let text = "xa\nb\nxx\n\nax";
        assert_eq!(lines_with(text, "x").collect::<Vec<_>>(), ["xa", "xx", "ax"]);
        assert_eq!(lines_with("b\n", "x").count(), 0);
        assert_eq!(lines_with("x\n", "x").collect::<Vec<_>>(), ["x"]);
    }

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
