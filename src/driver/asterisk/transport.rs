//! How the driver's way to the manager interface is kept from others: TLS, or a challenge in place of the secret.

use secrecy::SecretString;

use crate::domain::instance::{AsteriskSettings, Tls};
use crate::wire::ami::{ClearSecret, Config, Endpoint, EventMask, Login, Trust};

/// What goes over the wire, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transport {
    /// Whether TLS is spoken where an instance does not say.
    pub tls: bool,
    /// Whose certificates are believed where an instance does not say.
    pub trust: Trust,
    /// Where the secret itself may go without TLS, when the manager offers no challenge.
    pub clear: ClearSecret,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            tls: false,
            trust: Trust::System,
            clear: ClearSecret::Loopback,
        }
    }
}

impl Transport {
    /// Whose certificates an instance's manager has to show; `None` speaks no TLS.
    #[must_use]
    pub fn tls_of(&self, own: Option<&Tls>) -> Option<Trust> {
        match own {
            None => self.tls.then(|| self.trust.clone()),
            Some(Tls::Off) => None,
            Some(Tls::On { ca_file }) => Some(match ca_file {
                Some(path) => Trust::File(path.as_path().to_owned()),
                None => self.trust.clone(),
            }),
        }
    }

    /// What a link to that instance needs. It hears of Asterisk's own state only.
    #[must_use]
    pub fn config(&self, settings: &AsteriskSettings, secret: &SecretString) -> Config {
        let (host, port) = (settings.ami_host.as_str(), settings.ami_port);
        let mut config = Config::new(host, port, settings.ami_username.as_str(), secret.clone());
        config.events = EventMask::Classes(vec!["system".to_owned()]);
        match self.tls_of(settings.ami_tls.as_ref()) {
            // Nobody can read along, so the secret may go as it is; MD5 would add nothing.
            Some(trust) => {
                config.endpoint = Endpoint::Tls {
                    host: host.to_owned(),
                    port,
                    trust,
                }
            }
            None => {
                config.login = Login::Challenge {
                    username: settings.ami_username.to_string(),
                    secret: secret.clone(),
                    clear: self.clear,
                }
            }
        }
        config
    }
}
