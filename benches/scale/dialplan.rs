//! What a reload of the dialplan costs: as it is rendered, and with an explicit hint for each extension.

use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stdout};

use serde_json::json;
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
use switchyard::render::pbx::{Fragments, Secrets, instance};
use switchyard::render::template_set::TemplateSet;
use uuid::Uuid;

use super::Outcome;
use super::box_of_tenants::EXTENSIONS;
use super::pbx::{Pbx, open_directory};
use super::times::{Times, ms};

/// What is brought, one after the other, and how often it is read again then: once where that takes long.
const TURNS: [(Kind, usize); 3] = [(Kind::Pattern, 5), (Kind::Explicit, 1), (Kind::Pattern, 5)];

#[derive(Clone, Copy)]
enum Kind {
    /// As we render it: a pattern hint for each length of numbers in a tenant.
    Pattern,
    /// The same, with a hint for each extension in their place.
    Explicit,
}

pub async fn measure(tenants: usize) -> Outcome<()> {
    let directory = open_directory()?;
    let pbx = Pbx::start(directory.path()).await?;
    let texts = render(tenants)?;
    let rendered = text(&texts, Artifact::Extensions)?;
    let explicit = with_explicit_hints(&rendered);
    fs::create_dir_all(pbx.live(Artifact::Pjsip).with_file_name(""))?;
    fs::write(pbx.live(Artifact::Pjsip), text(&texts, Artifact::Pjsip)?)?;
    let endpoints = pbx.reload(&[Artifact::Pjsip]).await?;
    writeln!(
        stdout(),
        "{} endpoints, read in {endpoints:.1?}",
        tenants * EXTENSIONS
    )?;
    let [mut ours, mut theirs] = [Times::default(), Times::default()];
    for (kind, reloads) in TURNS {
        let (what, text, all) = match kind {
            Kind::Pattern => ("as rendered", &rendered, &mut ours),
            Kind::Explicit => ("a hint each", &explicit, &mut theirs),
        };
        fs::write(pbx.live(Artifact::Extensions), text)?;
        let first = pbx.reload(&[Artifact::Extensions]).await?;
        let mut again = Times::default();
        for _ in 0..reloads {
            pbx.touch(&[Artifact::Extensions])?;
            let took = pbx.reload(&[Artifact::Extensions]).await?;
            again.push(took);
            all.push(took);
        }
        let hints = pbx.console("core show hints").await?;
        writeln!(
            stdout(),
            "{what}: reload {again}; the one that brought it {}; {hints}",
            ms(first)
        )?;
    }
    writeln!(
        stdout(),
        "ratio: with a hint each it takes {:.0} times as long",
        theirs.ratio_to(&ours)
    )?;
    pbx.private.stop().await;
    Ok(())
}

/// The files of a box, tenant by tenant.
fn render(tenants: usize) -> Outcome<Vec<Fragments>> {
    let templates = TemplateSet::built_in()?;
    let common = |file: Artifact| Ok((file, instance(&templates, file, "sy-0000000000000000")?));
    let mut texts = (0..tenants)
        .map(|one| {
            let mut extensions = Vec::new();
            let mut secrets = std::collections::BTreeMap::new();
            for place in 0..EXTENSIONS {
                let number = (1000 + place).to_string();
                let input = json!({"number": number, "name": format!("Phone {place}")});
                let parsed = serde_json::from_value::<ExtensionInput>(input)?.parse()?;
                let id = ExtensionId::from_uuid(Uuid::from_u128(u128::try_from(one * EXTENSIONS + place)?));
                let sip =
                    SipCredential::Password(SipSecret::parse(format!("Secret{one:09}x{place:03}").into())?);
                let pin = VoicemailPin::parse("246813".to_owned().into())?;
                secrets.insert(id, ExtensionSecrets { sip, pin });
                extensions.push(ExtensionConfig {
                    id,
                    number: parsed.number,
                    settings: parsed.settings,
                });
            }
            let config = TenantConfig {
                name: format!("Tenant {one}").parse()?,
                domain: format!("tenant{one}.example.com").parse()?,
                aliases: Vec::new(),
                timezone: "Europe/Berlin".parse()?,
                recording: RecordingPolicy::ByExtension,
                notice: RecordingNotice::unsaid(),
                extensions,
            };
            Ok(tenant(&templates, &config, Secrets::Real(&secrets))?)
        })
        .collect::<Outcome<Vec<_>>>()?;
    texts.push(
        Artifact::of(PbxKind::Asterisk)
            .iter()
            .copied()
            .map(common)
            .collect::<Outcome<_>>()?,
    );
    Ok(texts)
}

fn text(texts: &[Fragments], file: Artifact) -> Outcome<String> {
    let parts = texts
        .iter()
        .map(|fragments| fragments.get(&file).map(String::as_str));
    Ok(parts
        .collect::<Option<Vec<_>>>()
        .ok_or("a file was not rendered")?
        .concat())
}

/// The same dialplan with the hint of each extension behind its line, and without pattern hints.
fn with_explicit_hints(rendered: &str) -> String {
    let mut text = String::with_capacity(rendered.len() * 2);
    let mut domain = "";
    for line in rendered.lines() {
        if let Some(section) = line.strip_prefix('[') {
            domain = section.trim_end_matches(']');
        }
        if line.contains(",hint,") {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        let number = line
            .strip_prefix("exten => ")
            .and_then(|rest| rest.split_once(",1,Gosub(switchyard-extension,"));
        if let Some((number, _)) = number {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "exten => {number},hint,PJSIP/{number}@{domain}");
        }
    }
    text
}
