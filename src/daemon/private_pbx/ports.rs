//! Free ports on the loopback interface, held until the PBX is about to open them.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;

/// How many ports the media of a demo's calls may use; a call needs four.
const MEDIA: u16 = 200;
/// A port may be free for UDP and taken for TCP.
const TRIES: usize = 50;

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
    /// Those of the last start if all of them are free, else whatever ports the kernel gives.
    pub fn find(last: Option<[u16; 3]>) -> io::Result<Self> {
        match last.map(Self::take) {
            Some(Ok(ports)) => Ok(ports),
            _ => Self::any(),
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
        let (sip, sip_udp, sip_tcp) = udp_and_tcp()?;
        let ami_tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (first, media_udp) = media()?;
        Ok(Self {
            sip,
            ami: ami_tcp.local_addr()?.port(),
            media: first..=first + (MEDIA - 1),
            _held: ([sip_udp, media_udp], [sip_tcp, ami_tcp]),
        })
    }
}

fn udp_and_tcp() -> io::Result<(u16, UdpSocket, TcpListener)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = tcp.local_addr()?.port();
        match UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(udp) => return Ok((port, udp, tcp)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// An even port, as RTP has it, with room for the range behind it.
fn media() -> io::Result<(u16, UdpSocket)> {
    for _ in 0..TRIES {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        if port % 2 == 0 && port.checked_add(MEDIA).is_some() {
            return Ok((port, socket));
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
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
