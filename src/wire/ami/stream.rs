//! The bytes' way to the manager: TCP, or TLS over it with a certificate that is checked.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::config::{Endpoint, Trust};
use super::error::LinkError;
use crate::wire::link::Lookup;

/// Where systems keep the certificates that they trust.
const SYSTEM: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// What a link reads and writes.
pub trait Stream: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> Stream for T {}

/// A stream to the manager, and what is known of it.
pub struct Opened {
    /// The bytes.
    pub stream: Box<dyn Stream>,
    /// Our own port.
    pub local_port: u16,
    /// Who is at the other end.
    pub peer: IpAddr,
    /// Whether nobody on the way can read it.
    pub sealed: bool,
}

/// Connects; with TLS only to who shows a certificate for that very host from somebody who is trusted.
pub async fn open(endpoint: &Endpoint, lookup: &mut Lookup) -> Result<Opened, LinkError> {
    let place @ (host, _) = endpoint.place();
    let refused = |source| LinkError::Connect {
        address: endpoint.address(),
        source,
    };
    let tcp = lookup.connect(place).await.map_err(refused)?;
    tcp.set_nodelay(true).map_err(refused)?;
    let local_port = tcp.local_addr().map_err(refused)?.port();
    let peer = tcp.peer_addr().map_err(refused)?.ip();
    let stream: Box<dyn Stream> = match endpoint {
        Endpoint::Tcp { .. } => Box::new(tcp),
        Endpoint::Tls { trust, .. } => {
            let connector = connector(trust)?;
            let name = ServerName::try_from(host.to_owned()).map_err(|error| LinkError::Tls {
                address: endpoint.address(),
                source: io::Error::other(error),
            })?;
            let tls = connector.connect(name, tcp).await;
            Box::new(tls.map_err(|source| LinkError::Tls {
                address: endpoint.address(),
                source,
            })?)
        }
    };
    Ok(Opened {
        stream,
        local_port,
        peer,
        sealed: matches!(endpoint, Endpoint::Tls { .. }),
    })
}

/// Read anew for each connection: a certificate that was renewed is heeded without a restart.
fn connector(trust: &Trust) -> Result<TlsConnector, LinkError> {
    let path = match trust {
        Trust::File(path) => path.clone(),
        Trust::System => system()?,
    };
    let unusable = |reason: String| LinkError::Trust {
        path: path.clone(),
        reason,
    };
    let certificates = CertificateDer::pem_file_iter(&path).map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        let added = roots.add(certificate);
        // A system's list may hold what this library does not know; a file that was named holds what is meant.
        if let (Err(error), Trust::File(_)) = (added, trust) {
            return Err(unusable(error.to_string()));
        }
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn system() -> Result<PathBuf, LinkError> {
    let found = SYSTEM.iter().map(Path::new).find(|path| path.exists());
    found.map(Path::to_owned).ok_or_else(|| LinkError::Trust {
        path: PathBuf::from(SYSTEM[0]),
        reason: "the system keeps no certificates there; name a file".to_owned(),
    })
}
