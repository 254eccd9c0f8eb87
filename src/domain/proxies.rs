//! Reverse proxies that are believed about whom they speak for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::invalid::Invalid;
use super::networks::Networks;

/// The addresses of the proxies that are believed; nobody is by default.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TrustedProxies(Networks);

impl TrustedProxies {
    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(address)
    }

    /// Whether nobody is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client that a request comes from: the peer, unless that is one of them. Then the last of `forwarded_for`, the
    /// lines of `X-Forwarded-For`, that is none of them.
    ///
    /// Each proxy adds behind whatever it was sent the address that it saw. What stands before the first stranger, seen
    /// from behind, may be made up; and of a proxy that names nobody whom one can read, its own address counts.
    #[must_use]
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        let hops = forwarded_for
            .rev()
            .flat_map(|line| line.rsplit(|byte| *byte == b','));
        for hop in hops {
            if !self.contains(client) {
                break;
            }
            match address(hop) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let bare = bracketed.unwrap_or(text).parse();
    let address = bare.or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

impl FromStr for TrustedProxies {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn client(trusted: &str, peer: &str, lines: &[&str]) -> String {
        let trusted: TrustedProxies = trusted.parse().unwrap();
        let lines = lines.iter().map(|line| line.as_bytes());
        trusted.client(peer.parse().unwrap(), lines).to_string()
    }

    #[rstest]
    #[case::nobody_is_believed("", "10.0.0.1", &["203.0.113.7"], "10.0.0.1")]
    #[case::a_stranger_is_not_believed("10.0.0.0/8", "203.0.113.9", &["203.0.113.7"], "203.0.113.9")]
    #[case::a_proxy_is("10.0.0.0/8", "10.0.0.1", &["203.0.113.7"], "203.0.113.7")]
    #[case::a_proxy_by_its_address("10.0.0.1", "10.0.0.1", &["203.0.113.7"], "203.0.113.7")]
    #[case::the_neighbour_of_one_is_not("10.0.0.1", "10.0.0.2", &["203.0.113.7"], "10.0.0.2")]
    #[case::what_the_client_wrote_before("10.0.0.0/8", "10.0.0.1", &["1.2.3.4, 203.0.113.7"], "203.0.113.7")]
    #[case::through_two_proxies("10.0.0.0/8", "10.0.0.1", &["1.2.3.4, 203.0.113.7, 10.0.0.2"], "203.0.113.7")]
    #[case::lines_are_one_list("10.0.0.0/8", "10.0.0.1", &["1.2.3.4", "203.0.113.7", "10.0.0.2"], "203.0.113.7")]
    #[case::none_but_proxies("10.0.0.0/8", "10.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3")]
    #[case::no_header("10.0.0.0/8", "10.0.0.1", &[], "10.0.0.1")]
    #[case::garbage("10.0.0.0/8", "10.0.0.1", &["203.0.113.7, unknown"], "10.0.0.1")]
    #[case::garbage_before_a_proxy("10.0.0.0/8", "10.0.0.1", &["_hidden, 10.0.0.2"], "10.0.0.2")]
    #[case::empty("10.0.0.0/8", "10.0.0.1", &[""], "10.0.0.1")]
    #[case::an_empty_place("10.0.0.0/8", "10.0.0.1", &["203.0.113.7,"], "10.0.0.1")]
    #[case::too_much("10.0.0.0/8", "10.0.0.1", &["203.0.113.7 203.0.113.8"], "10.0.0.1")]
    #[case::with_a_port("10.0.0.0/8", "10.0.0.1", &["203.0.113.7:5060"], "203.0.113.7")]
    #[case::ipv6("fd00::/8", "fd00::1", &["2001:db8::7"], "2001:db8::7")]
    #[case::ipv6_in_brackets("fd00::/8", "fd00::1", &["[2001:db8::7]"], "2001:db8::7")]
    #[case::ipv6_with_a_port("fd00::/8", "fd00::1", &["[2001:db8::7]:443"], "2001:db8::7")]
    #[case::ipv4_on_an_ipv6_socket("10.0.0.0/8", "::ffff:10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7")]
    #[case::every_ipv4_is_no_ipv6("0.0.0.0/0", "2001:db8::1", &["203.0.113.7"], "2001:db8::1")]
    fn o66_the_client_is_whom_the_last_trusted_proxy_saw(
        #[case] trusted: &str,
        #[case] peer: &str,
        #[case] lines: &[&str],
        #[case] expected: &str,
    ) {
        assert_eq!(client(trusted, peer, lines), expected);
    }

    #[rstest]
    #[case("proxy.example.com")]
    #[case("10.0.0.0/33")]
    #[case("10.0.0.1, 10.0.0.2")]
    #[case("10.0.0.1:80")]
    fn what_is_no_address_is_refused(#[case] text: &str) {
        assert!(text.parse::<TrustedProxies>().is_err());
    }
}
