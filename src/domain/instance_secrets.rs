//! What the daemon signs in with at a PBX: a type without `Debug` or `Serialize`, so that none leaks by accident.

use secrecy::{ExposeSecret as _, SecretString};

use super::instance::PbxKind;

/// The secrets of one instance.
#[derive(Clone)]
pub struct InstanceSecrets {
    /// Of Asterisk's manager account, or of FreeSWITCH's event socket.
    pub control: SecretString,
    /// Of the role in FusionPBX's database; none with the other kinds.
    pub database: Option<SecretString>,
}

impl InstanceSecrets {
    /// Those of a kind that has one only.
    #[must_use]
    pub const fn of_control(control: SecretString) -> Self {
        Self {
            control,
            database: None,
        }
    }

    /// Whether a kind can do with these.
    #[must_use]
    pub const fn suffice(&self, kind: PbxKind) -> bool {
        match kind {
            PbxKind::FusionPbx => self.database.is_some(),
            PbxKind::Asterisk | PbxKind::FreeSwitch => true,
        }
    }

    /// Whether both sign in with the same.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let exposed = |secrets: &Self| {
            secrets
                .database
                .as_ref()
                .map(|text| text.expose_secret().to_owned())
        };
        self.control.expose_secret() == other.control.expose_secret() && exposed(self) == exposed(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_same_only_if_each_of_them_is() {
        let secrets = |control: &str, database: Option<&str>| InstanceSecrets {
            control: control.into(),
            database: database.map(Into::into),
        };
        let one = secrets("a", Some("b"));
        assert!(one.same(&secrets("a", Some("b"))));
        for other in [
            secrets("a", None),
            secrets("a", Some("c")),
            secrets("c", Some("b")),
        ] {
            assert!(!one.same(&other));
        }
        assert!(one.suffice(PbxKind::FusionPbx) && !secrets("a", None).suffice(PbxKind::FusionPbx));
    }
}
