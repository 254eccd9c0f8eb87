//! What the configuration gives to the daemon's parts, in their own types.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use crate::auth::throttle;
use crate::auth::token::TokenKey;
use crate::config::{ClearSecretMode, Config, LogFormat, Switch};
use crate::crypto::SealingKey;
use crate::driver::asterisk::Transport;
use crate::store::DatabaseUrl;
use crate::telemetry::{self, Format, TelemetryError};
use crate::wire::ami::{ClearSecret, Trust};

/// A value that its part cannot work with.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{key}`: {reason}")]
pub struct SettingError {
    /// Which key.
    pub key: &'static str,
    /// What it must be; never repeats the value.
    pub reason: String,
}

impl SettingError {
    fn new(key: &'static str, reason: impl Display) -> Self {
        let reason = reason.to_string();
        Self { key, reason }
    }
}

/// Where the data is.
pub fn database_url(config: &Config) -> Result<DatabaseUrl, SettingError> {
    let url = config.database.url.expose().parse();
    url.map_err(|invalid| SettingError::new("database.url", invalid))
}

/// What secrets are sealed with; absent where none is configured.
pub fn sealing_key(config: &Config) -> Result<Option<SealingKey>, SettingError> {
    let key = config.sealing.key.as_ref().map(SealingKey::parse).transpose();
    key.map_err(|bad| SettingError::new("sealing.key", bad))
}

/// How the manager interface of an Asterisk is reached, as far as the instance does not say.
#[must_use]
pub fn transport(config: &Config) -> Transport {
    Transport {
        tls: config.ami.tls == Switch::On,
        trust: match &config.ami.ca_file {
            Some(path) => Trust::File(path.clone()),
            None => Trust::System,
        },
        clear: match config.ami.clear_secret {
            ClearSecretMode::Never => ClearSecret::Never,
            ClearSecretMode::Loopback => ClearSecret::Loopback,
            ClearSecretMode::Anywhere => ClearSecret::Anywhere,
        },
    }
}

/// How many failed sign-ins are put up with.
#[must_use]
pub fn throttle(config: &Config) -> throttle::Limits {
    throttle::Limits {
        per_account: config.auth.account_failures,
        per_address: config.auth.address_failures,
        window: Duration::from_secs(config.auth.failure_window_seconds.into()),
    }
}

/// What tokens are signed with.
#[must_use]
pub fn token_key(key: &SealingKey) -> TokenKey {
    TokenKey::new(key.signing_key().expose())
}

/// Refuses a directory of templates that this user may not read.
pub fn templates(config: &Config) -> Result<(), SettingError> {
    let Some(directory) = &config.templates.dir else {
        return Ok(());
    };
    match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let shown = directory.display();
            let advice = "let the user of the daemon read it and pass the directories above it (`chgrp`, `chmod g+rx`)";
            let reason = format!("{shown} may not be read by this user ({error}); {advice}");
            Err(SettingError::new("templates.dir", reason))
        }
        // That it is not there, or is none, the deploy says, which reads it anew each time.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Everything that a part could refuse later, asked now.
#[must_use]
pub fn check(config: &Config) -> Vec<SettingError> {
    [
        database_url(config).err(),
        sealing_key(config).err(),
        templates(config).err(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What works without, but not well: each with what to do.
#[must_use]
pub fn lacking(config: &Config) -> Vec<&'static str> {
    let key = config.sealing.key.is_none().then_some(
        "no `sealing.key` is configured: nobody can sign in, and whatever needs a secret fails; make one with `switchyard key generate \
         --out /etc/switchyard/sealing.key`",
    );
    key.into_iter().collect()
}

/// Starts logging as configured.
pub fn start_telemetry(config: &Config) -> Result<(), TelemetryError> {
    let format = match config.log.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    telemetry::start(config.log.level.as_str(), format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::Claims;
    use crate::config::Environment;
    use jiff::{SignedDuration, Timestamp};
    use uuid::Uuid;

    use crate::domain::ids::{SessionId, UserId};

    fn config(variables: &[(&str, &str)]) -> Config {
        let environment: Environment = variables.iter().copied().collect();
        Config::load(None, &environment)
            .unwrap_or_else(|e| panic!("{e}"))
            .config
    }

    #[test]
    fn a_good_configuration_suits_every_part() {
        let config = config(&[("SWITCHYARD_SEALING_KEY", &"a".repeat(64))]);
        assert_eq!(check(&config), []);
        assert!(sealing_key(&config).is_ok_and(|key| key.is_some()));
    }

    #[test]
    fn hosts_with_the_same_sealing_key_read_each_others_tokens() {
        let now = Timestamp::UNIX_EPOCH;
        let claims = Claims {
            user_id: UserId::from_uuid(Uuid::from_u128(1)),
            session_id: SessionId::from_uuid(Uuid::from_u128(2)),
            tenant_id: None,
            role: None,
            permissions: vec![],
            issued_at: now,
            expires_at: now + SignedDuration::from_secs(60),
        };
        let key = |digit: &str| SealingKey::parse(&digit.repeat(64).into()).ok().unwrap();
        let token = token_key(&key("a")).sign(&claims).unwrap();
        assert_eq!(token_key(&key("a")).read(&token, now), Ok(claims));
        assert!(token_key(&key("b")).read(&token, now).is_err());
    }

    #[test]
    fn failed_sign_ins_are_counted_as_configured() {
        let limits = throttle(&config(&[
            ("SWITCHYARD_AUTH_ACCOUNT_FAILURES", "3"),
            ("SWITCHYARD_AUTH_ADDRESS_FAILURES", "4"),
            ("SWITCHYARD_AUTH_FAILURE_WINDOW_SECONDS", "5"),
        ]));
        assert_eq!((limits.per_account.get(), limits.per_address.get()), (3, 4));
        assert_eq!(limits.window, Duration::from_secs(5));
    }

    #[test]
    fn what_is_lacking_is_said_with_what_to_do() {
        let bare = lacking(&config(&[]));
        assert_eq!(bare.len(), 1);
        assert!(bare[0].contains("switchyard key generate"));
        let full = config(&[("SWITCHYARD_SEALING_KEY", &"a".repeat(64))]);
        assert!(lacking(&full).is_empty());
    }

    #[test]
    fn what_a_part_would_refuse_is_named_by_key_and_not_repeated() {
        let errors = check(&config(&[
            ("SWITCHYARD_SEALING_KEY", "s3cret"),
            ("SWITCHYARD_DATABASE_URL", "postgres://ann:s3cret@[/x"),
        ]));
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(keys, ["database.url", "sealing.key"]);
        assert!(!format!("{errors:?}").contains("s3cret"));
    }
}
