//! The table of all configuration keys, from which the reading, the error texts and the reference page are made.

use std::fmt::Write as _;

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Section and name: `http.listen`.
    pub name: &'static str,
    /// What it says, with unit and range.
    pub what: &'static str,
    /// What holds when it is not given.
    pub default: Default,
    /// Whether it can be given as a file of its own, and is never shown.
    pub secret: bool,
    /// Whether it is a list of tables.
    pub list: bool,
}

/// What holds when a key is not given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Default {
    /// This text, read like a given one.
    Text(&'static str),
    /// The content of this file, where it exists.
    File(&'static str),
    /// Something that these words describe.
    Words(&'static str),
}

/// Every key, by name.
pub const KEYS: &[Key] = &[
    plain(
        "ami.ca_file",
        "certificates in PEM that the manager interface's own must be signed by; an absolute path",
        Default::Words("the system's list"),
    ),
    plain(
        "ami.clear_secret",
        "where an account's secret may go as it is, without TLS, to a manager that offers no challenge: `never`, `loopback` (within this host) or `anywhere`",
        Default::Text("never"),
    ),
    plain(
        "ami.tls",
        "whether the manager interfaces of this host's instances are spoken to over TLS: `off` (a challenge in place of the secret) or `on`",
        Default::Text("off"),
    ),
    plain(
        "auth.account_failures",
        "how many failed sign-ins an account puts up with before it is left alone for a while, 1 to 1000000",
        Default::Text("10"),
    ),
    plain(
        "auth.address_failures",
        "the same for the address (of IPv6, the /64) that they come from, 1 to 1000000",
        Default::Text("50"),
    ),
    plain(
        "auth.failure_window_seconds",
        "for how long failures are counted, from the first one on, 1 to 86400 seconds",
        Default::Text("900"),
    ),
    list(
        "auth.issuers",
        "who else vouches for users: a table `[[auth.issuers]]` each ([sign-in.md](sign-in.md)); as a variable `[{ name = \"…\", … }]`",
        Default::Words("none"),
    ),
    secret(
        "database.url",
        "`sqlite:` with a path, or `postgres://user:password@host/database`, over a socket `postgres://user@%2Frun%2Fpostgresql/database`; PostgreSQL when there is more than one host",
        Default::Text("sqlite:/var/lib/switchyard/switchyard.db"),
    ),
    plain(
        "deploy.asterisk",
        "the Asterisk binary that reads a configuration before it goes live; an absolute path",
        Default::Words("`asterisk` on the `PATH`"),
    ),
    plain(
        "deploy.debounce_seconds",
        "with `auto` below: how long a tenant must have been left alone before its edits go live, 1 to 3600 seconds; while edits do not end, twelve times as long",
        Default::Text("5"),
    ),
    plain(
        "deploy.keep_generations",
        "how many generations of each instance are kept for going back, 1 to 1000",
        Default::Text("10"),
    ),
    plain(
        "deploy.lease_seconds",
        "how long a deploy's hold on its instance outlives a killed daemon, 5 to 600 seconds",
        Default::Text("30"),
    ),
    plain(
        "deploy.mode",
        "`manual` (somebody asks for each deploy) or `auto` (a tenant's edits go live by themselves; templates and settings of the instance do not)",
        Default::Text("manual"),
    ),
    plain(
        "deploy.shadow",
        "when a second, private Asterisk reads a configuration first: `auto` (where the binary is found), `always` (a deploy without it is rejected) or `never`",
        Default::Text("auto"),
    ),
    plain(
        "http.cors_origins",
        "the origins of other dashboards, whose pages may call the API from a browser, separated by spaces: `https://dashboard.example.com`",
        Default::Words("none"),
    ),
    plain(
        "http.listen",
        "address and port of the API",
        Default::Text("127.0.0.1:8420"),
    ),
    plain(
        "http.public_url",
        "where people reach this service from outside, which is how the links that it hands out begin: `https://` with a host and, where needed, port and path (`http://` within this host only); required with `mail.host`",
        Default::Words("`http://` and the address of `http.listen`"),
    ),
    plain(
        "http.trusted_proxies",
        "the reverse proxies that are believed about whom they speak for (`X-Forwarded-For`), IP addresses and ranges separated by spaces: `127.0.0.1 10.0.0.0/8`",
        Default::Words("none: everybody is known by the address that connects"),
    ),
    plain(
        "log.format",
        "`text` for people or `json` for programs",
        Default::Text("text"),
    ),
    plain(
        "log.level",
        "`off`, `error`, `warn`, `info`, `debug` or `trace`; exceptions behind it, such as `info,sqlx=warn`",
        Default::Text("info"),
    ),
    plain(
        "mail.ca_file",
        "certificates in PEM that the mail server's own must be signed by; an absolute path",
        Default::Words("the system's list"),
    ),
    plain(
        "mail.from",
        "whom mails are from: `name@example.com` or `Name <name@example.com>`; required with `mail.host`",
        Default::Words("none"),
    ),
    plain(
        "mail.give_up_after_days",
        "how long a mail is tried that the server does not take, 1 to 30 days",
        Default::Text("3"),
    ),
    plain(
        "mail.host",
        "the mail server (SMTP) that mails are handed to, a host name or an IP address",
        Default::Words("none: no mail is sent, and links are shown to whoever asks for them"),
    ),
    secret(
        "mail.password",
        "the password of `mail.username`",
        Default::Words("none"),
    ),
    plain(
        "mail.port",
        "its port, 1 to 65535",
        Default::Words("465, or 587 with `starttls`, or 25 with `none`"),
    ),
    plain(
        "mail.tls",
        "`required` (TLS from the first byte), `starttls` (TLS before anything that counts, and nothing without it) or `none` (in clear, to this host only)",
        Default::Text("required"),
    ),
    plain(
        "mail.username",
        "the account to sign in with",
        Default::Words("none: it takes mails without that"),
    ),
    secret(
        "metrics.token",
        "what a collector shows as its bearer token to read `/metrics`, 16 characters or more",
        Default::Words("none: nobody reads it"),
    ),
    plain(
        "monitor.poll_seconds",
        "how often a PBX is asked for all its calls, beside what it tells by itself, 1 to 300 seconds; it is asked at once after each gap",
        Default::Text("5"),
    ),
    plain(
        "node.name",
        "this host's name on the platform: the instances that name it are driven here",
        Default::Words("the host's name"),
    ),
    secret(
        "sealing.key",
        "the key that stored secrets are sealed with, 32 bytes in hex or base64",
        Default::File("/etc/switchyard/sealing.key"),
    ),
    plain(
        "state.dir",
        "what the daemon keeps beside the database; an absolute path",
        Default::Text("/var/lib/switchyard"),
    ),
    plain(
        "templates.dir",
        "templates in it go before the built-in ones; an absolute path",
        Default::Words("`/etc/switchyard/templates` where it exists"),
    ),
    plain(
        "tenants.domain_suffix",
        "what the domain of a new tenant ends in that is given none: the name `Acme` makes `acme.` and this",
        Default::Words("none: each new tenant is given its domain"),
    ),
    plain(
        "webhooks.allow",
        "where webhooks may lead to beside public addresses, and to these also without TLS (`http://`), IP addresses and ranges separated by spaces: `10.1.2.0/24`",
        Default::Words("none: to public addresses only, with TLS"),
    ),
    plain(
        "webhooks.give_up_after_hours",
        "how long a webhook may take nothing before it is disabled, 1 to 168 hours",
        Default::Text("24"),
    ),
];

/// Where an operator's own templates are looked for when nothing else is said.
pub(super) const TEMPLATES_DIR: &str = "/etc/switchyard/templates";

const fn plain(name: &'static str, what: &'static str, default: Default) -> Key {
    Key {
        name,
        what,
        default,
        secret: false,
        list: false,
    }
}

const fn list(name: &'static str, what: &'static str, default: Default) -> Key {
    Key {
        list: true,
        ..plain(name, what, default)
    }
}

const fn secret(name: &'static str, what: &'static str, default: Default) -> Key {
    Key {
        secret: true,
        ..plain(name, what, default)
    }
}

impl Key {
    /// The environment variable of the key: `SWITCHYARD_HTTP_LISTEN`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("SWITCHYARD_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The key that names a file with the value, of a secret: `sealing.key_file`.
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        self.secret.then(|| format!("{}_file", self.name))
    }

    /// The environment variable of that key.
    #[must_use]
    pub fn file_variable(&self) -> Option<String> {
        self.secret.then(|| format!("{}_FILE", self.variable()))
    }
}

/// The key of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Every name that may stand in a file, `…_file` included.
pub(super) fn names() -> impl Iterator<Item = String> {
    KEYS.iter()
        .flat_map(|key| [Some(key.name.to_owned()), key.file_name()])
        .flatten()
}

/// Every variable that may be set, `…_FILE` included.
pub(super) fn variables() -> impl Iterator<Item = String> {
    KEYS.iter()
        .flat_map(|key| [Some(key.variable()), key.file_variable()])
        .flatten()
}

/// The table as it stands in `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| key | environment | default | what it says |\n|---|---|---|---|\n");
    for key in KEYS {
        let default = match key.default {
            Default::Text(text) => format!("`{text}`"),
            Default::File(path) => format!("the content of `{path}` where it exists"),
            Default::Words(words) => words.to_owned(),
        };
        let or_file = |name: Option<String>| name.map(|name| format!(" or `{name}`")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}`{} | `{}`{} | {default} | {} |",
            key.name,
            or_file(key.file_name()),
            key.variable(),
            or_file(key.file_variable()),
            key.what
        );
    }
    table
}
