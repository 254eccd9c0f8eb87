//! Every key, from every source that may give it.

use super::*;

/// A good value for each key, other than its default.
fn sample(key: &str) -> &'static str {
    match key {
        "ami.ca_file" => "/srv/ca.pem",
        "ami.tls" => "on",
        "database.url" => "sqlite:/tmp/other.db",
        "deploy.asterisk" => "/opt/asterisk",
        "deploy.debounce_seconds" => "66",
        "deploy.keep_generations" => "77",
        "deploy.mode" => "auto",
        "deploy.lease_seconds" => "88",
        "ami.clear_secret" | "deploy.shadow" => "never",
        "auth.account_failures" => "99",
        "auth.address_failures" => "98",
        "auth.failure_window_seconds" => "97",
        "auth.issuers" => "[{ kind = 'firebase', name = 'google', project = 'acme-phones' }]",
        "http.cors_origins" => "https://one.example.com https://two.example.com",
        "http.listen" => "127.0.0.1:9999",
        "http.public_url" => "https://pbx.example.com",
        "http.trusted_proxies" => "127.0.0.1/32 10.0.0.0/8",
        "log.format" => "json",
        "log.level" => "debug,sqlx=off",
        "mail.ca_file" => "/srv/mail-ca.pem",
        "mail.from" => "Acme <pbx@example.com>",
        "mail.give_up_after_days" => "9",
        "mail.host" => "localhost",
        "mail.password" => "hunter2",
        "mail.port" => "2525",
        "mail.tls" => "none",
        "mail.username" => "acme",
        "metrics.token" => "0123456789abcdef",
        "monitor.poll_seconds" => "33",
        "node.name" => "pbx7",
        "sealing.key" => "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "state.dir" => "/srv/switchyard",
        "templates.dir" => "/srv/templates",
        "tenants.domain_suffix" => "pbx.example.com",
        "webhooks.allow" => "10.1.2.0/24 127.0.0.1/32",
        "webhooks.give_up_after_hours" => "55",
        other => panic!("no sample for {other}"),
    }
}

/// Issuers of Firebase, as they are written.
fn issuers(issuers: &[Issuer]) -> String {
    let table = |i: &Issuer| {
        format!(
            "{{ kind = '{}', name = '{}', project = '{}' }}",
            i.kind, i.name, i.audience
        )
    };
    format!("[{}]", issuers.iter().map(table).collect::<Vec<_>>().join(", "))
}

/// What a configuration holds for a key, as text.
pub fn effective(config: &Config, key: &str) -> String {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
    let secret = |secret: &Option<SecretString>| secret.as_ref().unwrap().expose_secret().to_owned();
    if let Some(key) = key.strip_prefix("mail.") {
        return effective_of_mail(config.mail.as_ref().unwrap(), key);
    }
    match key {
        "ami.ca_file" => path(&config.ami.ca_file),
        "ami.clear_secret" => config.ami.clear_secret.to_string(),
        "ami.tls" => config.ami.tls.to_string(),
        "database.url" => config.database.url.expose().to_owned(),
        "deploy.asterisk" => path(&config.deploy.asterisk),
        "deploy.debounce_seconds" => config.deploy.debounce_seconds.to_string(),
        "deploy.mode" => config.deploy.mode.to_string(),
        "deploy.keep_generations" => config.deploy.keep_generations.to_string(),
        "deploy.lease_seconds" => config.deploy.lease_seconds.to_string(),
        "deploy.shadow" => config.deploy.shadow.to_string(),
        "auth.account_failures" => config.auth.account_failures.to_string(),
        "auth.address_failures" => config.auth.address_failures.to_string(),
        "auth.failure_window_seconds" => config.auth.failure_window_seconds.to_string(),
        "auth.issuers" => issuers(&config.auth.issuers),
        "http.listen" => config.http.listen.to_string(),
        "http.cors_origins" => {
            let origins: Vec<&str> = config.http.cors_origins.iter().map(AsRef::as_ref).collect();
            origins.join(" ")
        }
        "http.public_url" => config.http.public_url.as_ref().unwrap().to_string(),
        "http.trusted_proxies" => config.http.trusted_proxies.to_string(),
        "log.format" => config.log.format.to_string(),
        "log.level" => config.log.level.to_string(),
        "metrics.token" => secret(&config.metrics.token),
        "monitor.poll_seconds" => config.monitor.poll_seconds.to_string(),
        "node.name" => config.node.name.to_string(),
        "sealing.key" => secret(&config.sealing.key),
        "state.dir" => config.state.dir.display().to_string(),
        "templates.dir" => path(&config.templates.dir),
        "tenants.domain_suffix" => config.tenants.domain_suffix.as_ref().unwrap().to_string(),
        "webhooks.allow" => config.webhooks.allow.to_string(),
        "webhooks.give_up_after_hours" => config.webhooks.give_up_after_hours.to_string(),
        other => panic!("no field for {other}"),
    }
}

fn effective_of_mail(mail: &Mail, key: &str) -> String {
    let server = &mail.server;
    let login = || server.login.as_ref().unwrap();
    match key {
        "ca_file" => server.ca_file.as_ref().unwrap().display().to_string(),
        "from" => server.from.to_string(),
        "give_up_after_days" => mail.give_up_after_days.to_string(),
        "host" => server.host.to_string(),
        "password" => login().password.expose_secret().to_owned(),
        "port" => server.port.to_string(),
        "tls" => server.tls.to_string(),
        "username" => login().username.clone(),
        other => panic!("no field for mail.{other}"),
    }
}

/// What a key has no effect without, as variables.
pub fn needed(key: &str) -> Vec<(String, String)> {
    let others: &[&str] = match key {
        "mail.username" => &["mail.host", "mail.from", "http.public_url", "mail.password"],
        "mail.password" => &["mail.host", "mail.from", "http.public_url", "mail.username"],
        "mail.host" => &["mail.from", "http.public_url"],
        "mail.from" => &["mail.host", "http.public_url"],
        key if key.starts_with("mail.") => &["mail.host", "mail.from", "http.public_url"],
        _ => &[],
    };
    let variable = |name: &&str| (keys::find(name).unwrap().variable(), sample(name).to_owned());
    others.iter().map(variable).collect()
}

#[test]
fn every_key_comes_from_the_file_the_environment_or_a_secret_file() {
    let directory = TempDir::new().unwrap();
    for key in KEYS {
        let value = sample(key.name);
        let (section, name) = key.name.split_once('.').unwrap();
        let needed = needed(key.name);
        let check = |source: &str, loaded: Result<Loaded, ConfigError>| {
            let loaded = loaded.unwrap_or_else(|e| panic!("{} from {source}: {e}", key.name));
            assert_eq!(
                effective(&loaded.config, key.name),
                value,
                "{} from {source}",
                key.name
            );
            let setting = loaded.settings.iter().find(|s| s.key == key.name).unwrap();
            assert_ne!(setting.from, "default", "{} from {source}", key.name);
            assert_eq!(loaded.warnings, [""; 0]);
        };
        let from_text = |text: &str| {
            let path = file(&directory, "switchyard.toml", text);
            Config::load(Some(&path), &needed.iter().cloned().collect())
        };
        let from_environment = |name: String, value: &str| {
            let own = [(name, value.to_owned())];
            Config::load(None, &needed.iter().cloned().chain(own).collect())
        };
        check("file", from_text(&format!("[{section}]\n{name} = \"{value}\"\n")));
        check("environment", from_environment(key.variable(), value));
        if key.secret {
            let path = file(&directory, key.name, &format!("{value}\n"));
            let path = path.display().to_string();
            check(
                "named by file",
                from_text(&format!("[{section}]\n{name}_file = \"{path}\"\n")),
            );
            let variable = key.file_variable().unwrap();
            check("named by environment", from_environment(variable, &path));
            let credentials = directory.path().display().to_string();
            let named = "CREDENTIALS_DIRECTORY".to_owned();
            check("credential", from_environment(named, &credentials));
            fs::remove_file(path).unwrap();
        }
    }
}
