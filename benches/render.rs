//! Renders 100,000 endpoints, and hands the same data and its own output on for a comparison with other engines.
//!
//! `cargo bench --bench render` prints how long it takes. `scripts/bench` names a directory as well, into which
//! the data goes as JSON and each file as it was rendered.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::extension_input::ExtensionInput;
use switchyard::domain::ids::ExtensionId;
use switchyard::domain::instance::PbxKind;
use switchyard::domain::recording_notice::RecordingNotice;
use switchyard::domain::revision::{ExtensionConfig, TenantConfig};
use switchyard::domain::secret::{ExtensionSecrets, SipSecret, VoicemailPin};
use switchyard::domain::sip_credential::SipCredential;
use switchyard::domain::tenant::RecordingPolicy;
use switchyard::render::asterisk::tenant;
use switchyard::render::pbx::{Fragments, Secrets};
use switchyard::render::template_set::TemplateSet;
use uuid::Uuid;

const TENANTS: u128 = 1_000;
const EXTENSIONS: u128 = 100;

/// The middle one counts: of so many, one may well be disturbed.
const ROUNDS: usize = 5;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Tenant {
    config: TenantConfig,
    secrets: BTreeMap<ExtensionId, ExtensionSecrets>,
}

fn main() -> Outcome<()> {
    let templates = TemplateSet::built_in()?;
    let tenants = (0..TENANTS).map(make).collect::<Outcome<Vec<_>>>()?;
    let mut times = Vec::new();
    let mut rendered = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        rendered = render(&templates, &tenants)?;
        times.push(start.elapsed());
    }
    report(&mut times, &rendered)?;
    if let Some(directory) = directory() {
        export(&directory, &tenants, &rendered)?;
    }
    Ok(())
}

/// What `cargo bench` does not take for itself: `--bench` is its own.
fn directory() -> Option<PathBuf> {
    std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .map(PathBuf::from)
}

/// All of a deploy's rendering: the digests that phones sign in with, what templates are given, and the texts.
fn render(templates: &TemplateSet, tenants: &[Tenant]) -> Outcome<Vec<Fragments>> {
    let mut rendered = Vec::with_capacity(tenants.len());
    for Tenant { config, secrets } in tenants {
        rendered.push(tenant(templates, config, Secrets::Real(secrets))?);
    }
    Ok(rendered)
}

fn report(times: &mut [Duration], rendered: &[Fragments]) -> Outcome<()> {
    times.sort();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    let bytes: usize = rendered.iter().flat_map(BTreeMap::values).map(String::len).sum();
    let mut out = stdout().lock();
    writeln!(
        out,
        "switchyard: {} endpoints, {bytes} bytes",
        TENANTS * EXTENSIONS
    )?;
    writeln!(out, "switchyard: rounds {times:.3?}")?;
    writeln!(out, "switchyard: seconds {:.4}", middle.as_secs_f64())?;
    Ok(())
}

/// A tenant with a bit of everything, the same in every run.
fn make(tenant: u128) -> Outcome<Tenant> {
    let mut extensions = Vec::new();
    let mut secrets = BTreeMap::new();
    for place in 0..EXTENSIONS {
        let input: ExtensionInput = serde_json::from_value(written(place))?;
        let parsed = input.parse()?;
        let id = ExtensionId::from_uuid(Uuid::from_u128(tenant * EXTENSIONS + place));
        extensions.push(ExtensionConfig {
            id,
            number: parsed.number,
            settings: parsed.settings,
        });
        let sip = SipCredential::Password(SipSecret::parse(format!("Secret{tenant:09}x{place:03}").into())?);
        let pin = VoicemailPin::parse(format!("{:06}", tenant * EXTENSIONS + place).into())?;
        secrets.insert(id, ExtensionSecrets { sip, pin });
    }
    let config = TenantConfig {
        name: format!("Tenant {tenant}").parse()?,
        domain: format!("tenant{tenant}.example.com").parse()?,
        aliases: Vec::new(),
        timezone: "Europe/Berlin".parse()?,
        recording: RecordingPolicy::ByExtension,
        notice: RecordingNotice::unsaid(),
        extensions,
    };
    Ok(Tenant { config, secrets })
}

fn written(place: u128) -> Value {
    let mut value = json!({"number": (1000 + place).to_string(), "name": format!("Phone {place}")});
    let extra = match place % 10 {
        0 => json!({"name": format!("Zoë \"{place}\"; O'Hara"), "recording": "always"}),
        1 | 2 => json!({"voicemail": {"enabled": true, "email": format!("phone{place}@example.com")}}),
        3 => json!({"forward": {"busy": "1001", "no_answer": "+4930123456"}, "ring_time": 20}),
        4 => json!({"transport": "tls", "codecs": ["opus", "g722", "alaw"]}),
        5 => json!({"transport": "websocket", "max_contacts": 5}),
        _ => json!({}),
    };
    if let (Value::Object(value), Value::Object(extra)) = (&mut value, extra) {
        value.extend(extra);
    }
    value
}

/// `tenants.json`, and each file as `<name>.switchyard`.
fn export(directory: &Path, tenants: &[Tenant], rendered: &[Fragments]) -> Outcome<()> {
    let data: Vec<Value> = tenants.iter().map(plain).collect();
    let mut file = BufWriter::new(File::create(directory.join("tenants.json"))?);
    serde_json::to_writer(&mut file, &data)?;
    file.flush()?;
    for name in Artifact::of(PbxKind::Asterisk) {
        let path = directory.join(format!("{}.switchyard", name.as_str()));
        let mut file = BufWriter::new(File::create(path)?);
        for text in rendered.iter().filter_map(|fragments| fragments.get(name)) {
            file.write_all(text.as_bytes())?;
        }
        file.flush()?;
    }
    Ok(())
}

/// A tenant as plain data, with what our own code would work out of the secrets.
fn plain(tenant: &Tenant) -> Value {
    let config = &tenant.config;
    let extension = |extension: &ExtensionConfig| {
        let secrets = tenant.secrets.get(&extension.id);
        let ha1 = secrets.map(|secrets| {
            let ha1 = secrets.sip.ha1(&extension.number, &config.domain);
            ha1.expose().to_owned()
        });
        json!({
            "number": extension.number,
            "settings": extension.settings,
            "ha1": ha1,
            "pin": secrets.map(|secrets| secrets.pin.expose().to_owned()),
        })
    };
    json!({
        "name": config.name,
        "domain": config.domain,
        "timezone": config.timezone,
        "extensions": config.extensions.iter().map(extension).collect::<Vec<_>>(),
    })
}
