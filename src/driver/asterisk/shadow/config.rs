//! What the shadow Asterisk is given to read beside the staged files: enough that a good configuration logs nothing.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::domain::artifact::Artifact;

/// The modules that read our files, and what they need; none that opens a port (measured: 14 lines, 30 modules with
/// the core's, no line in the log for a good configuration).
const MODULES: [&str; 14] = [
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_pubsub",
    "res_pjsip_acl",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_outbound_registration",
    "res_timing_timerfd",
    "pbx_config",
    "format_wav",
    "app_voicemail",
];

/// Files that a module complains about when they are missing.
const PLAIN: [(&str, &str); 12] = [
    ("acl.conf", ""),
    ("ccss.conf", "[general]\ncc_max_requests=20\n"),
    ("cdr.conf", "[general]\nenable=no\n"),
    ("cel.conf", "[general]\nenable=no\n"),
    ("features.conf", "[general]\n"),
    (
        "indications.conf",
        "[general]\ncountry=us\n[us]\ndescription=US\ndial=350+440\nbusy=480+620/500,0/500\n",
    ),
    (
        "logger.conf",
        "[general]\ndateformat=%F %T.%3q\n[logfiles]\nfindings => warning,error\n",
    ),
    ("manager.conf", "[general]\nenabled=no\n"),
    ("pjproject.conf", ""),
    ("rtp.conf", "[general]\n"),
    ("udptl.conf", "[general]\n"),
    ("cli.conf", ""),
];

/// Writes the shadow's configuration below `home`, including the files of `staged`.
///
/// Without a network of its own the shadow must not see a transport at all, or it would open that port.
pub fn write(home: &Path, staged: &Path, own_network: bool) -> io::Result<()> {
    for directory in ["etc", "lib", "log", "run", "spool"] {
        DirBuilder::new().mode(0o777).create(home.join(directory))?;
    }
    let etc = home.join("etc");
    let at = home.display();
    let directories = format!(
        "[directories]\nastetcdir => {at}/etc\nastvarlibdir => {at}/lib\nastdbdir => {at}/lib\nastkeydir => {at}/lib\n\
         astspooldir => {at}/spool\nastrundir => {at}/run\nastlogdir => {at}/log\n\
         [options]\nnocolor=yes\ndontwarn=yes\n"
    );
    fs::write(etc.join("asterisk.conf"), directories)?;
    let modules = MODULES.map(|module| format!("load={module}.so\n")).concat();
    fs::write(
        etc.join("modules.conf"),
        format!("[modules]\nautoload=no\n{modules}"),
    )?;
    for (name, text) in PLAIN {
        fs::write(etc.join(name), text)?;
    }
    if !own_network {
        fs::write(etc.join("sorcery.conf"), "[res_pjsip]\ntransport=memory\n")?;
    }
    for (file, before) in [
        (Artifact::Pjsip, "[global]\ntype=global\n"),
        (Artifact::Extensions, "[general]\nstatic=yes\nwriteprotect=yes\n"),
        (Artifact::Voicemail, "[general]\nformat=wav\n"),
    ] {
        let include = format!("{before}#include {}/{file}\n", staged.display());
        fs::write(etc.join(file.as_str()), include)?;
    }
    Ok(())
}
