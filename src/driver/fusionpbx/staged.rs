//! A generation as it was staged: rows and markers, read back from its files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::domain::artifact::Artifact;
use crate::domain::fusionpbx_row::FusionRow;
use crate::domain::instance::PbxKind;

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
    /// Reads one as it lies in a directory; `None` where no such generation is staged.
    pub fn read(directory: &Path) -> io::Result<Option<Self>> {
        let mut generation = Self::default();
        for artifact in Artifact::of(PbxKind::FusionPbx) {
            let path = directory.join(artifact.as_str());
            match fs::read_to_string(&path) {
                Ok(text) => generation.add(*artifact, &text)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("{}: {error}", path.display()),
                    ));
                }
            }
        }
        Ok(Some(generation))
    }

    /// Adds what one artifact holds.
    pub fn add(&mut self, artifact: Artifact, text: &str) -> io::Result<()> {
        for (number, line) in text.lines().enumerate() {
            let read = serde_json::from_str(line).map_err(|_| {
                // What serde says of it might repeat a secret.
                let message = format!(
                    "line {} of {artifact} is no row of ours; deploy again",
                    number + 1
                );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_marker_are_read_and_anything_else_is_refused_without_a_word_of_it() {
        let text = "{\"table\":\"v_domains\",\"id\":\"00000000-0000-0000-0000-000000000001\",\"values\":{\"domain_name\":\"a.b\"}}\n\
                    {\"marker\":\"sy-1\"}\n";
        let mut generation = Generation::default();
        generation.add(Artifact::ExtensionRows, text).unwrap();
        assert_eq!(generation.rows.len(), 1);
        assert_eq!(generation.markers[&Artifact::ExtensionRows], "sy-1");
        for line in [
            "secret",
            "{\"table\":\"v_users\",\"id\":\"secret\",\"values\":{}}",
        ] {
            let error = generation
                .add(Artifact::ExtensionRows, line)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("line 1 of extensions.jsonl") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}
