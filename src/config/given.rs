//! Gathers what the sources give for each key; the first source to name a key is the one that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use secrecy::{ExposeSecret, SecretString};

use super::database_url::DatabaseUrl;
use super::keys::{self, Default as KeyDefault, KEYS, Key};
use super::nearest::nearest;
use super::secret_file::{self, SecretFileError};
use super::{Environment, Problem, Setting, file};

/// Variables that are ours without being a key: the command line's, and those of the project's own tests.
fn is_other_variable(name: &str) -> bool {
    matches!(
        name,
        "SWITCHYARD_CONFIG"
            | "SWITCHYARD_AMI_SECRET"
            | "SWITCHYARD_EVENT_SOCKET_PASSWORD"
            | "SWITCHYARD_FUSIONPBX_PASSWORD"
    ) || name.starts_with("SWITCHYARD_TEST_")
}

/// A value as it was written, with the place where it stands.
struct Value {
    /// Handled like a secret, whichever key it is of.
    text: SecretString,
    place: String,
}

/// The tables of a list.
struct List {
    tables: Vec<Fields>,
    place: String,
}

/// One table of a list: its values by key, each with its place.
#[derive(Clone)]
pub struct Fields {
    /// Where it begins.
    pub place: String,
    /// As they were written.
    pub values: BTreeMap<String, (String, String)>,
}

/// What all sources give.
#[derive(Default)]
pub struct Given {
    values: BTreeMap<&'static str, Value>,
    lists: BTreeMap<&'static str, List>,
    /// Keys whose source failed: they are neither looked for elsewhere nor given their default.
    broken: BTreeSet<&'static str>,
    warnings: Vec<String>,
    problems: Vec<Problem>,
}

impl Given {
    /// Takes the variables of every key, and reports those that look like one and are none.
    pub fn read_environment(&mut self, environment: &Environment) {
        for key in KEYS {
            let place = |name: &str| format!("environment variable {name}");
            let variable = key.variable();
            let text = environment
                .get(&variable)
                .map(|text| (text.to_owned(), place(&variable)));
            let named = key.file_variable().and_then(|name| {
                let path = environment.get(&name)?;
                Some((path.to_owned(), place(&name)))
            });
            self.take(key, text, named);
        }
        let known: BTreeSet<String> = keys::variables().collect();
        for name in environment.names().filter(|name| name.starts_with("SWITCHYARD_")) {
            if !known.contains(name) && !is_other_variable(name) {
                self.unknown(format!("environment variable {name}"), name, keys::variables());
            }
        }
    }

    /// Takes the credentials that systemd hands over, each named like its key.
    pub fn read_credentials(&mut self, environment: &Environment) {
        let Some(directory) = environment.get("CREDENTIALS_DIRECTORY") else {
            return;
        };
        for key in KEYS.iter().filter(|key| key.secret) {
            let path = Path::new(directory).join(key.name);
            if path.exists() {
                let place = format!("credential {}", path.display());
                self.take(key, None, Some((path.display().to_string(), place)));
            }
        }
    }

    /// Takes the keys of a file, and reports those that are none.
    pub fn read_file(&mut self, path: &Path) {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                return self.problem(path.display().to_string(), format!("cannot be read: {error}"));
            }
        };
        let entries = match file::entries(&text) {
            Ok(entries) => entries,
            Err(error) => {
                let place = format!("{}:{}", path.display(), error.line);
                return self.problem(place, format!("is not TOML: {}", error.message));
            }
        };
        let mut scalars = BTreeMap::new();
        let mut lists = BTreeMap::new();
        let known: BTreeSet<String> = keys::names().collect();
        for entry in entries {
            let place = format!("{}:{}", path.display(), entry.line);
            match entry.value {
                _ if !known.contains(&entry.name) => self.unknown(place, &entry.name, keys::names()),
                file::Value::Text(text) => {
                    scalars.insert(entry.name, (text, place));
                }
                file::Value::Tables(tables) if keys::find(&entry.name).is_some_and(|key| key.list) => {
                    lists.insert(entry.name, (tables, place));
                }
                other => self.problem(place, wrong_kind(&entry.name, &other)),
            }
        }
        for key in KEYS {
            if let Some((tables, place)) = lists.remove(key.name) {
                self.take_list(key, tables, place, |line| format!("{}:{line}", path.display()));
            }
            let text = scalars.remove(key.name);
            if text.is_some() && key.secret && fs::metadata(path).is_ok_and(|m| secret_file::is_public(&m)) {
                self.warnings.push(format!(
                    "{}: holds the secret `{}` and can be read by everybody; `chmod o= {}`",
                    path.display(),
                    key.name,
                    path.display()
                ));
            }
            let named = key.file_name().and_then(|name| scalars.remove(&name));
            self.take(key, text, named);
        }
    }

    /// Reads the files where secrets are kept when nothing else is said.
    pub fn read_default_secrets(&mut self) {
        for key in KEYS {
            if let KeyDefault::File(path) = key.default
                && !self.is_named(key.name)
            {
                match secret_file::read(Path::new(path)) {
                    Err(SecretFileError::Read(error)) if error.kind() == io::ErrorKind::NotFound => {}
                    read => self.keep_secret(key, path, &format!("default of `{}`", key.name), read),
                }
            }
        }
    }

    /// The key's text as the parser takes it, or nothing when it was not given or is wrong (which is noted).
    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, crate::domain::invalid::Invalid>,
    ) -> Option<T> {
        let (parsed, place) = match (self.values.get(name), keys::find(name)?.default) {
            (Some(value), _) => (parse(value.text.expose_secret()), value.place.clone()),
            (None, KeyDefault::Text(text)) if !self.broken.contains(name) => {
                (parse(text), "default".to_owned())
            }
            _ => return None,
        };
        parsed
            .map_err(|invalid| self.problem(place, format!("`{name}` {}", invalid.reason())))
            .ok()
    }

    /// The tables of a list, none where it was not given.
    pub fn list(&self, name: &str) -> Vec<Fields> {
        self.lists
            .get(name)
            .map(|list| list.tables.clone())
            .unwrap_or_default()
    }

    /// Where a key was given; nothing where it was not, or its source failed.
    pub fn place(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.place.as_str())
    }

    /// Whether a source has named a key, even if what it gave cannot be used.
    pub fn is_named(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.lists.contains_key(name) || self.broken.contains(name)
    }

    /// Notes a problem.
    pub fn problem(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.problems.push(Problem {
            place: place.into(),
            text: text.into(),
        });
    }

    /// What is in effect, what should be mended and what is wrong.
    pub fn into_parts(self) -> (Vec<Setting>, Vec<String>, Vec<Problem>) {
        let settings = KEYS.iter().map(|key| self.setting(key)).collect();
        (settings, self.warnings, self.problems)
    }

    fn setting(&self, key: &Key) -> Setting {
        if let Some(list) = self.lists.get(key.name) {
            let names = list.tables.iter().filter_map(|table| table.values.get("name"));
            let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            return Setting {
                key: key.name,
                value: names.join(", "),
                from: list.place.clone(),
            };
        }
        let (value, from) = match (self.values.get(key.name), key.default) {
            (Some(value), _) if key.name == "database.url" => {
                let shown = DatabaseUrl::parse(value.text.expose_secret()).map(|url| url.to_string());
                (shown.unwrap_or_default(), value.place.clone())
            }
            (Some(value), _) if key.secret => ("(hidden)".to_owned(), value.place.clone()),
            (Some(value), _) => (value.text.expose_secret().to_owned(), value.place.clone()),
            (None, KeyDefault::Text(text)) => (text.to_owned(), "default".to_owned()),
            (None, KeyDefault::File(path)) => (format!("(no file {path})"), "default".to_owned()),
            (None, KeyDefault::Words(words)) => {
                (format!("({})", words.replace('`', "")), "default".to_owned())
            }
        };
        Setting {
            key: key.name,
            value,
            from,
        }
    }

    /// Keeps what one source gives for a key: its text, or the path of a file with its text.
    fn take(&mut self, key: &Key, text: Option<(String, String)>, named: Option<(String, String)>) {
        if self.is_named(key.name) {
            return;
        }
        match (text, named) {
            (None, None) => {}
            (Some((text, place)), None) if key.list => {
                if let Some(tables) = file::tables(&text) {
                    return self.take_list(key, tables, place.clone(), |_| place.clone());
                }
                self.broken.insert(key.name);
                let text = format!(
                    "`{}` must be a list of tables: `[{{ name = \"…\", … }}]`",
                    key.name
                );
                self.problem(place, text);
            }
            (Some((text, place)), None) => {
                let text = text.into();
                self.values.insert(key.name, Value { text, place });
            }
            (None, Some((path, place))) => {
                let read = secret_file::read(Path::new(&path));
                self.keep_secret(key, &path, &place, read);
            }
            (Some(_), Some((_, place))) => {
                self.broken.insert(key.name);
                let text = format!("`{}` is given twice, as text and as file; keep one", key.name);
                self.problem(place, text);
            }
        }
    }

    /// Keeps a list, unless one was given already.
    fn take_list(
        &mut self,
        key: &Key,
        tables: Vec<file::Table>,
        place: String,
        at: impl Fn(usize) -> String,
    ) {
        if self.is_named(key.name) {
            return;
        }
        let mut kept = Vec::with_capacity(tables.len());
        for table in tables {
            let mut values = BTreeMap::new();
            for entry in table.entries {
                let name = format!("{}.{}", key.name, entry.name);
                match entry.value {
                    file::Value::Text(text) => {
                        values.insert(entry.name, (text, at(entry.line)));
                    }
                    other => self.problem(at(entry.line), wrong_kind(&name, &other)),
                }
            }
            kept.push(Fields {
                place: at(table.line),
                values,
            });
        }
        self.lists.insert(key.name, List { tables: kept, place });
    }

    fn keep_secret(
        &mut self,
        key: &Key,
        path: &str,
        place: &str,
        read: Result<(SecretString, bool), SecretFileError>,
    ) {
        match read {
            Ok((text, public)) => {
                if public {
                    self.warnings.push(format!(
                        "{path}: holds the secret `{}` and can be read by everybody; `chmod o= {path}`",
                        key.name
                    ));
                }
                let place = format!("{place} ({path})");
                self.values.insert(key.name, Value { text, place });
            }
            Err(error) => {
                self.broken.insert(key.name);
                self.problem(place, format!("the file `{path}` with `{}` {error}", key.name));
            }
        }
    }

    /// Notes a key that there is not.
    pub fn unknown(&mut self, place: String, name: &str, known: impl Iterator<Item = String>) {
        let near = nearest(name, known);
        let text = format!("unknown key `{name}`; the nearest is `{near}`, docs/configuration.md lists all");
        self.problem(place, text);
    }
}

fn wrong_kind(name: &str, value: &file::Value) -> String {
    let kind = match value {
        file::Value::Other(kind) => kind,
        file::Value::Tables(_) => "array",
        file::Value::Text(_) => "string",
    };
    let wanted = match keys::find(name) {
        Some(key) if key.list => format!("a list of tables, which begin with `[[{name}]]`"),
        _ => "a text or a whole number".to_owned(),
    };
    format!("`{name}` must be {wanted}, not {kind}")
}
