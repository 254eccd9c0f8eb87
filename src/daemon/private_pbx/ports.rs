//! Free ports on the loopback interface, held until the PBX is about to open them.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;

/// How many ports the media of a demo's calls may use; a call needs four.
const MEDIA: u16 = 200;
/// Below the ports that Linux gives to outgoing connections (32768 to 60999 unless configured otherwise): one of those may
/// take a port while its PBX is restarted.
const RANGE: RangeInclusive<u16> = 20_000..=32_000;

/// Ports that are free for as long as this is held.
pub struct Ports {
    /// Of SIP, over UDP and TCP.
    pub sip: u16,
    /// Of the manager interface.
    pub ami: u16,
    /// Of the calls' media. Only the first is held: Asterisk takes any of the range that is free.
    pub media: RangeInclusive<u16>,
    _held: ([UdpSocket; 2], [TcpListener; 2]),
}

impl Ports {
    /// Those of the last start if all of them are free, else any that are.
    pub fn find(last: Option<[u16; 3]>) -> io::Result<Self> {
        match last.map(Self::take) {
            Some(Ok(ports)) => Ok(ports),
            // Somebody may have been faster.
            _ => Self::any().or_else(|_| Self::any()),
        }
    }

    /// SIP, manager interface, and the first of media.
    pub fn numbers(&self) -> [u16; 3] {
        [self.sip, self.ami, *self.media.start()]
    }

    fn take([sip, ami, first]: [u16; 3]) -> io::Result<Self> {
        let last = first.checked_add(MEDIA - 1).filter(|_| sip != 0 && ami != 0);
        let media = first..=last.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let udp = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        let tcp = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        Ok(Self {
            sip,
            ami,
            media,
            _held: ([udp(sip)?, udp(first)?], [tcp(sip)?, tcp(ami)?]),
        })
    }

    fn any() -> io::Result<Self> {
        let mut candidates = candidates();
        let mut first = |is_free: &dyn Fn(u16) -> bool| {
            let found = candidates.by_ref().find(|port| is_free(*port));
            found.ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))
        };
        let udp = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        let tcp = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        let sip = first(&|port| udp(port) && tcp(port))?;
        let ami = first(&tcp)?;
        // An even port, as RTP has it.
        let media = first(&|port| port % 2 == 0 && udp(port))?;
        Self::take([sip, ami, media])
    }
}

/// Every port of the range once, from another place on in each process.
fn candidates() -> impl Iterator<Item = u16> {
    let from = RandomState::new().hash_one(std::process::id());
    let count = u64::from(RANGE.end() - RANGE.start()) + 1;
    let start = RANGE.start() + u16::try_from(from % count).unwrap_or_default();
    (start..=*RANGE.end()).chain(*RANGE.start()..start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_held_and_then_free() {
        let ports = Ports::find(None).unwrap();
        let (sip, ami) = (ports.sip, ports.ami);
        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, sip)).is_err());
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, ami)).is_err());
        assert_eq!(ports.media.len(), usize::from(MEDIA));
        let last = ports.numbers();
        assert_ne!(Ports::find(Some(last)).unwrap().numbers(), last, "they are taken");
        drop(ports);
        assert_eq!(Ports::find(Some(last)).unwrap().numbers(), last);
        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, sip)).is_ok());
    }
}
