//! The tables `[[auth.issuers]]`: who besides the database vouches for users.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::given::{Fields, Given};
use crate::domain::invalid::Invalid;
use crate::domain::issuer::{Issuer, IssuerKind, KeySource};
use crate::domain::name::IssuerName;

const LIST: &str = "auth.issuers";

/// One key of such a table.
struct Field {
    name: &'static str,
    /// The kind that has it; absent: each.
    of: Option<IssuerKind>,
    required: bool,
    what: &'static str,
}

const FIELDS: &[Field] = &[
    Field {
        name: "name",
        of: None,
        required: true,
        what: "your name for it, in logs and messages: 1 to 50 letters, digits, `.`, `_` or `-`",
    },
    Field {
        name: "kind",
        of: None,
        required: true,
        what: "`oidc` for any issuer of OpenID Connect, `firebase` for Firebase Authentication",
    },
    Field {
        name: "issuer",
        of: Some(IssuerKind::Oidc),
        required: true,
        what: "the `iss` of its tokens, letter by letter: an `https:` URL",
    },
    Field {
        name: "audience",
        of: Some(IssuerKind::Oidc),
        required: true,
        what: "the client id that your users sign in to there, the `aud` of its tokens",
    },
    Field {
        name: "jwks_url",
        of: Some(IssuerKind::Oidc),
        required: false,
        what: "where its keys are (JWKS); otherwise where `<issuer>/.well-known/openid-configuration` says",
    },
    Field {
        name: "project",
        of: Some(IssuerKind::Firebase),
        required: true,
        what: "the project's id; issuer and audience follow from it",
    },
    Field {
        name: "certificates_url",
        of: Some(IssuerKind::Firebase),
        required: false,
        what: "where its certificates are, if not where Google publishes them: a JSON object from key id to X.509 in PEM",
    },
];

/// The fields as they stand in `docs/sign-in.md`.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| key | of the kind | required | what it says |\n|---|---|---|---|\n");
    for field in FIELDS {
        let kind = field.of.map_or("each".to_owned(), |kind| format!("`{kind}`"));
        let required = if field.required { "yes" } else { "no" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {kind} | {required} | {} |",
            field.name, field.what
        );
    }
    table
}

/// All issuers, or nothing when a problem was noted.
pub fn read(given: &mut Given) -> Option<Vec<Issuer>> {
    let mut issuers = Vec::new();
    let (mut names, mut meant) = (BTreeSet::new(), BTreeSet::new());
    let tables = given.list(LIST);
    let count = tables.len();
    for table in tables {
        let place = table.place.clone();
        let Some(issuer) = Reader { given, table }.issuer() else {
            continue;
        };
        if !names.insert(issuer.name.clone()) {
            given.problem(place, format!("`{LIST}.name` must not be that of another issuer"));
        } else if !meant.insert((issuer.url.clone(), issuer.audience.clone())) {
            given.problem(
                place,
                format!("`{LIST}` must not name an issuer twice for the same audience"),
            );
        } else {
            issuers.push(issuer);
        }
    }
    (issuers.len() == count).then_some(issuers)
}

/// Reads one table; what was taken is no longer in it.
struct Reader<'a> {
    given: &'a mut Given,
    table: Fields,
}

impl Reader<'_> {
    fn issuer(mut self) -> Option<Issuer> {
        let name = self.take("name", str::parse);
        // Without a kind, nobody knows what else must be there.
        let kind = self.take("kind", str::parse)?;
        let issuer = match kind {
            IssuerKind::Oidc => self.oidc(name),
            IssuerKind::Firebase => self.firebase(name),
        };
        self.end(kind);
        issuer
    }

    fn oidc(&mut self, name: Option<IssuerName>) -> Option<Issuer> {
        let url = self.take("issuer", str::parse);
        let audience = self.take("audience", str::parse);
        let jwks = self.take("jwks_url", str::parse);
        Some(Issuer {
            name: name?,
            url: url?,
            audience: audience?,
            kind: IssuerKind::Oidc,
            keys: jwks.map_or(KeySource::Discovery, KeySource::Jwks),
        })
    }

    fn firebase(&mut self, name: Option<IssuerName>) -> Option<Issuer> {
        let project = self.take("project", str::parse);
        let certificates = self.take("certificates_url", str::parse);
        Issuer::firebase(name?, &project?, certificates).ok()
    }

    /// The value of a field as the parser takes it.
    fn take<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, Invalid>) -> Option<T> {
        let Some((text, place)) = self.table.values.remove(name) else {
            if let Some(field) = FIELDS.iter().find(|field| field.name == name && field.required) {
                let text = format!("`{LIST}.{name}` is missing: {}", field.what);
                self.given.problem(self.table.place.clone(), text);
            }
            return None;
        };
        let parsed = parse(&text);
        if let Err(invalid) = &parsed {
            let text = format!("`{LIST}.{name}` {}", invalid.reason());
            self.given.problem(place, text);
        }
        parsed.ok()
    }

    /// Notes what nobody asked for.
    fn end(self, kind: IssuerKind) {
        for (name, (_, place)) in self.table.values {
            let full = format!("{LIST}.{name}");
            if FIELDS.iter().any(|field| field.name == name) {
                self.given.problem(
                    place,
                    format!("`{full}` is not for the kind `{kind}`; leave it out"),
                );
            } else {
                let known = FIELDS.iter().map(|field| format!("{LIST}.{}", field.name));
                self.given.unknown(place, &full, known);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Environment, Loaded};
    use crate::domain::issuer::{Issuer, IssuerKind, KeySource};
    use rstest::rstest;
    use std::path::Path;

    fn from_file(text: &str) -> Result<Loaded, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.toml");
        std::fs::write(&path, text).unwrap();
        let prefix = format!("{}:", path.display());
        Config::load(Some(&path), &Environment::default())
            .map_err(|error| error.to_string().replace(&prefix, ""))
    }

    fn from_variable(text: &str) -> Result<Vec<Issuer>, String> {
        let environment = Environment::from_iter([("SWITCHYARD_AUTH_ISSUERS", text)]);
        let loaded = Config::load(None::<&Path>, &environment).map_err(|error| error.to_string())?;
        Ok(loaded.config.auth.issuers)
    }

    const BOTH: &str = "
[[auth.issuers]]
name = 'main'
kind = 'oidc'
issuer = 'https://id.example.com/realms/main'
audience = 'phones'

[[auth.issuers]]
name = 'google'
kind = 'firebase'
project = 'acme-phones'
certificates_url = 'http://127.0.0.1:9/certificates'
";

    #[test]
    fn issuers_are_tables_of_the_file() {
        let loaded = from_file(BOTH).unwrap_or_else(|error| panic!("{error}"));
        let [main, google] = loaded.config.auth.issuers.as_slice() else {
            panic!("not two");
        };
        assert_eq!(main.url.as_str(), "https://id.example.com/realms/main");
        assert_eq!((main.kind, &main.keys), (IssuerKind::Oidc, &KeySource::Discovery));
        assert_eq!(google.url.as_str(), "https://securetoken.google.com/acme-phones");
        let certificates = "http://127.0.0.1:9/certificates".parse().unwrap();
        assert_eq!(google.keys, KeySource::Certificates(certificates));
        let setting = loaded.settings.iter().find(|s| s.key == "auth.issuers").unwrap();
        assert_eq!(setting.value, "main, google");
        assert!(setting.from.ends_with("x.toml:2"), "{}", setting.from);
    }

    #[test]
    fn a_variable_holds_them_all_and_goes_before_the_file() {
        let issuers = from_variable("[{ name = 'a', kind = 'firebase', project = 'acme-phones' }]").unwrap();
        assert_eq!(issuers[0].name.as_str(), "a");
        assert_eq!(from_variable("[]"), Ok(vec![]));
        for text in ["", "x", "{}", "[1]", "[]\nx = 1", "[{ name = 'a' }"] {
            let refused = from_variable(text).unwrap_err();
            assert!(refused.contains("must be a list of tables"), "{text}: {refused}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.toml");
        std::fs::write(&path, BOTH).unwrap();
        let none = Environment::from_iter([("SWITCHYARD_AUTH_ISSUERS", "[]")]);
        let loaded = Config::load(Some(&path), &none).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.config.auth.issuers, []);
    }

    #[rstest]
    #[case(
        "",
        "1: `auth.issuers.name` is missing: your name for it, in logs and messages: 1 to 50 letters, digits, `.`, `_` or `-`\n1: `auth.issuers.kind` is missing: `oidc` for any issuer of OpenID Connect, `firebase` for Firebase Authentication"
    )]
    #[case(
        "name = 'a b'\nkind = 'saml'",
        "2: `auth.issuers.name` must have 1 to 50 letters, digits, `.`, `_` or `-`\n3: `auth.issuers.kind` must be one of: `oidc` `firebase`"
    )]
    #[case(
        "name = 'a'\nkind = 'firebase'\nproject = 'Acme'",
        "4: `auth.issuers.project` must be the id of a Firebase project: 4 to 64 small letters, digits or `-`"
    )]
    #[case(
        "name = 'a'\nkind = 'oidc'\naudience = 'x'\nissuer = 'http://id.example.com'",
        "5: `auth.issuers.issuer` must begin with `https://`; `http://` is for this host (127.0.0.1, [::1], localhost) only"
    )]
    #[case(
        "name = 'a'\nkind = 'oidc'\naudience = 'x'\nissuer = 'https://x.example'\njwks_url = 'x'",
        "6: `auth.issuers.jwks_url` must be a URL such as `https://example.com/path`"
    )]
    #[case(
        "name = 'a'\nkind = 'oidc'\naudience = 'x'\nissuer = 'https://x.example'\nproject = 'x'",
        "6: `auth.issuers.project` is not for the kind `oidc`; leave it out"
    )]
    #[case(
        "name = 'a'\nkind = 'firebase'\nproject = 'acme'\nprojekt = 'x'",
        "5: unknown key `auth.issuers.projekt`; the nearest is `auth.issuers.project`, docs/configuration.md lists all"
    )]
    #[case(
        "name = 'a'\nkind = 'firebase'\nproject = ['acme']",
        "4: `auth.issuers.project` must be a text or a whole number, not array\n1: `auth.issuers.project` is missing: the project's id; issuer and audience follow from it"
    )]
    #[case(
        "name = 'a'\nkind = 'firebase'\nproject = 'acme'\n[[auth.issuers]]\nname = 'a'\nkind = 'firebase'\nproject = 'other'",
        "5: `auth.issuers.name` must not be that of another issuer"
    )]
    #[case(
        "name = 'a'\nkind = 'firebase'\nproject = 'acme'\n[[auth.issuers]]\nname = 'b'\nkind = 'firebase'\nproject = 'acme'",
        "5: `auth.issuers` must not name an issuer twice for the same audience"
    )]
    fn a_problem_is_reported_with_its_line_and_what_to_do(#[case] table: &str, #[case] problems: &str) {
        let refused = from_file(&format!("[[auth.issuers]]\n{table}\n")).err().unwrap();
        assert_eq!(refused, problems);
    }

    #[test]
    fn one_table_is_no_list() {
        let refused = from_file("[auth.issuers]\nname = 'a'\n").err().unwrap();
        assert_eq!(
            refused,
            "1: `auth.issuers` must be a list of tables, which begin with `[[auth.issuers]]`, not table"
        );
    }
}
