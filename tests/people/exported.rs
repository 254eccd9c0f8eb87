//! Archives as their readers have them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use switchyard::app::error::AppError;
use switchyard::app::exports::{self, Job};
use switchyard::auth::caller::Caller;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::world::World;

/// An archive as a reader has it.
pub struct Archive {
    pub bytes: Vec<u8>,
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether it came to its end.
    pub is_whole: bool,
}

impl Archive {
    pub fn of(bytes: Vec<u8>, is_whole: bool) -> Self {
        let mut files = BTreeMap::new();
        if is_whole {
            for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
                let mut entry = entry.unwrap();
                let name = entry.path().unwrap().to_str().unwrap().to_owned();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                assert!(files.insert(name, content).is_none());
            }
        }
        Self {
            bytes,
            files,
            is_whole,
        }
    }

    pub fn manifest(&self) -> Value {
        serde_json::from_slice(&self.files["manifest.json"]).unwrap()
    }

    /// The rows of a kind, in the order of its files.
    pub fn rows(&self, kind: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        for (name, content) in &self.files {
            if name.starts_with(&format!("{kind}/")) && name.ends_with("jsonl") {
                let lines = std::str::from_utf8(content).unwrap().lines();
                rows.extend(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
        }
        rows
    }

    pub fn holds(&self, text: &str) -> bool {
        let mut windows = self.bytes.windows(text.len());
        windows.any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
    }

    /// That each file is as the manifest or its row tells, and that there is no other.
    pub fn check(&self) {
        let manifest = self.manifest();
        let mut told = BTreeSet::from(["manifest.json".to_owned()]);
        let mut rows: BTreeMap<String, u64> = BTreeMap::new();
        for file in manifest["files"].as_array().unwrap() {
            let name = file["name"].as_str().unwrap();
            let content = &self.files[name];
            assert_eq!(file["sha256"], json!(sha256(content)), "{name}");
            assert_eq!(file["bytes"], json!(content.len()), "{name}");
            let lines = std::str::from_utf8(content).unwrap().lines().count();
            assert_eq!(file["rows"], json!(lines), "{name}");
            let (kind, _) = name.split_once('/').unwrap();
            *rows.entry(kind.to_owned()).or_default() += lines as u64;
            told.insert(name.to_owned());
        }
        for (kind, total) in manifest["kinds"].as_object().unwrap() {
            let there = rows.remove(kind).unwrap_or_default();
            assert_eq!(total["rows"], json!(there), "{kind}");
        }
        assert!(rows.is_empty(), "{rows:?}");
        let sounds = [self.rows("recordings"), self.rows("voicemail")].concat();
        for row in sounds {
            if let Some(name) = row["file"].as_str() {
                let digest = sha256(&self.files[name]);
                let told_digest = row["missing"].is_null().then_some(digest);
                assert_eq!(row["sha256"], json!(told_digest), "{name}");
                assert_eq!(row["file_bytes"], json!(self.files[name].len()));
                told.insert(name.to_owned());
            }
        }
        assert_eq!(self.files.keys().cloned().collect::<BTreeSet<_>>(), told);
    }
}

pub fn sha256(content: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(content) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

impl World {
    /// Who makes exports here.
    pub fn maker(&self) -> Receiver<Job> {
        exports::take(&self.app).unwrap()
    }

    /// Asks for an export, and reads all of it.
    pub async fn exported(
        &self,
        maker: &mut Receiver<Job>,
        caller: &Caller,
        subject: Value,
    ) -> Result<Archive, AppError> {
        let input = serde_json::from_value(subject).unwrap();
        let mut export = exports::begin(&self.app, caller, input).await?;
        let job = maker.recv().await.unwrap();
        let making = exports::make(self.app.clone(), job, CancellationToken::new());
        let reading = async {
            let mut bytes = Vec::new();
            while let Some(piece) = export.next().await {
                match piece {
                    Ok(piece) => bytes.extend_from_slice(&piece),
                    Err(_) => return Archive::of(bytes, false),
                }
            }
            Archive::of(bytes, true)
        };
        let ((), archive) = tokio::join!(making, reading);
        Ok(archive)
    }
}
