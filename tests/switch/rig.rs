//! What the tests of the rig share.

use std::time::Duration;

use switchyard::wire::esl::Word;

use crate::freeswitch::{FreeSwitch, Keys};
use crate::fusionpbx::{Booleans, ExtensionRow, FusionPbx};

/// Long enough that only a failure waits for it.
pub const LONG: Duration = Duration::from_secs(20);

pub fn word(text: &str) -> Word {
    Word::new(text).unwrap()
}

/// A domain with two extensions beside the operator's, and a FreeSWITCH that serves them.
pub struct Demo {
    // Before the database, which its lookups use.
    pub freeswitch: FreeSwitch,
    pub fusionpbx: FusionPbx,
    pub domain_uuid: String,
    /// Of 1001 and 1002.
    pub extensions: [String; 2],
}

pub const DOMAIN: &str = "demo.local";

impl Demo {
    pub async fn start(booleans: Booleans) -> Self {
        Self::start_with(booleans, Keys::Plain).await
    }

    pub async fn start_with(booleans: Booleans, keys: Keys) -> Self {
        let fusionpbx = FusionPbx::furnished(booleans).await;
        let domain_uuid = fusionpbx.add_domain(DOMAIN).await;
        let row = |number, name| ExtensionRow {
            domain_uuid: &domain_uuid,
            domain: DOMAIN,
            number,
            number_alias: None,
            password: Some("throwaway"),
            name,
        };
        let extensions = [
            fusionpbx.add_extension(&row("1001", "Alice")).await,
            fusionpbx.add_extension(&row("1002", "User 1002")).await,
        ];
        let freeswitch = FreeSwitch::with_fusionpbx(fusionpbx.pool.clone(), keys).await;
        Self {
            freeswitch,
            fusionpbx,
            domain_uuid,
            extensions,
        }
    }

    /// What a lookup of an extension of the domain shows as its name, or that there is none.
    pub async fn name_of(&self, number: &str) -> Option<String> {
        let user = self.freeswitch.user(number, DOMAIN).await?;
        user.shown("var", "effective_caller_id_name").map(str::to_owned)
    }

    /// Gives 1001 another name, behind FreeSWITCH's back.
    pub async fn rename(&self, name: &str) {
        let uuid = &self.extensions[0];
        let sql = format!(
            "update v_extensions set effective_caller_id_name = '{name}' where extension_uuid = '{uuid}'"
        );
        self.fusionpbx.run(&sql).await;
    }
}
