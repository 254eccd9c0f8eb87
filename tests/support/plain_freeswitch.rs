//! A FreeSWITCH without FusionPBX as an operator has it: own files, with a domain and a context, that lead to ours.

use std::path::{Path, PathBuf};

use switchyard::domain::instance::FreeSwitchSettings;
use switchyard::domain::instance_secrets::InstanceSecrets;
use tempfile::TempDir;

use crate::freeswitch::{FreeSwitch, PASSWORD};

/// A domain of the operator's own, where 1001 signs in with `throwaway1`.
pub const OPERATOR: &str = "operator.example.com";

const ROOT: &str = "<?xml version=\"1.0\"?>\n<document type=\"freeswitch/xml\">\n\
    <X-PRE-PROCESS cmd=\"set\" data=\"office=operator.example.com\"/>\n\
    <section name=\"configuration\">\n<X-PRE-PROCESS cmd=\"include\" data=\"autoload_configs/*.xml\"/>\n</section>\n\
    <section name=\"directory\">\n<X-PRE-PROCESS cmd=\"include\" data=\"directory/*.xml\"/>\n</section>\n\
    <section name=\"dialplan\">\n<X-PRE-PROCESS cmd=\"include\" data=\"dialplan/*.xml\"/>\n</section>\n\
    </document>\n";

const OWN_DOMAIN: &str = "<include>\n<domain name=\"$${office}\">\n<user id=\"1001\">\n<params>\n\
    <param name=\"password\" value=\"throwaway1\"/>\n</params>\n</user>\n</domain>\n</include>\n";

const OWN_CONTEXT: &str =
    "<include>\n<context name=\"default\">\n<extension name=\"own\"/>\n</context>\n</include>\n";

const SOFIA: &str = "<configuration name=\"sofia.conf\">\n<profiles>\n\
    <X-PRE-PROCESS cmd=\"include\" data=\"../sip_profiles/*.xml\"/>\n</profiles>\n</configuration>\n";

/// The FreeSWITCH with its files; gone with the value.
pub struct Plain {
    pub freeswitch: FreeSwitch,
    folder: TempDir,
}

impl Plain {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("conf");
        for (name, text) in [
            ("freeswitch.xml", ROOT),
            ("directory/default.xml", OWN_DOMAIN),
            ("dialplan/default.xml", OWN_CONTEXT),
            ("autoload_configs/sofia.conf.xml", SOFIA),
            ("sip_profiles/internal.xml", &profile("auth-calls", "true")),
        ] {
            write(&conf.join(name), text);
        }
        std::fs::create_dir(folder.path().join("switchyard")).unwrap();
        let plain = Self {
            freeswitch: FreeSwitch::with_files(&conf).await,
            folder,
        };
        for section in ["directory", "dialplan"] {
            plain.include(section);
        }
        plain
    }

    /// Where it all lies.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// The operator's own files.
    pub fn conf(&self) -> PathBuf {
        self.folder.path().join("conf")
    }

    /// Our directory.
    pub fn config_dir(&self) -> PathBuf {
        self.folder.path().join("switchyard")
    }

    pub fn live_file(&self, section: &str) -> PathBuf {
        self.config_dir().join("live").join(format!("{section}.xml"))
    }

    /// The operator puts the line in that leads to ours.
    pub fn include(&self, section: &str) {
        let line = format!(
            "<include>\n<X-PRE-PROCESS cmd=\"include\" data=\"{}\"/>\n</include>\n",
            self.live_file(section).display()
        );
        write(&self.include_file(section), &line);
    }

    /// The profile that phones sign in at is as FreeSWITCH brings it along.
    pub fn force_domain(&self) {
        let text = profile("force-register-domain", "$${office}");
        write(&self.conf().join("sip_profiles/internal.xml"), &text);
    }

    /// The operator has FreeSWITCH look for sounds in a directory of its own, from the next time that it reads its files.
    pub fn keep_sounds(&self) -> PathBuf {
        let sounds = self.folder.path().join("sounds");
        std::fs::create_dir(&sounds).unwrap();
        let line = format!(
            "<document type=\"freeswitch/xml\">\n<X-PRE-PROCESS cmd=\"set\" data=\"sound_prefix={}\"/>\n",
            sounds.display()
        );
        let text = ROOT.replacen("<document type=\"freeswitch/xml\">\n", &line, 1);
        write(&self.conf().join("freeswitch.xml"), &text);
        sounds
    }

    /// The operator takes it out.
    pub fn exclude(&self, section: &str) {
        std::fs::remove_file(self.include_file(section)).unwrap();
    }

    fn include_file(&self, section: &str) -> PathBuf {
        self.conf().join(section).join("switchyard.xml")
    }

    pub fn settings(&self) -> FreeSwitchSettings {
        FreeSwitchSettings {
            event_socket_host: "127.0.0.1".parse().unwrap(),
            event_socket_port: self.freeswitch.port,
            config_dir: self.config_dir().to_str().unwrap().parse().unwrap(),
            recordings_dir: None,
            voicemail_dir: None,
            emergency_numbers: Vec::new(),
        }
    }

    /// What a lookup of a user shows as its name, or that there is none.
    pub async fn name_of(&self, domain: &str, number: &str) -> Option<String> {
        let user = self.freeswitch.user(number, domain).await?;
        user.shown("var", "effective_caller_id_name").map(str::to_owned)
    }
}

fn profile(param: &str, value: &str) -> String {
    format!(
        "<profile name=\"internal\">\n<settings>\n<param name=\"{param}\" value=\"{value}\"/>\n</settings>\n</profile>\n"
    )
}

/// What its event socket asks for.
pub fn secrets() -> InstanceSecrets {
    InstanceSecrets::of_control(PASSWORD.into())
}

pub fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
