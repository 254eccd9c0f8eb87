//! Where webhooks may lead to: public addresses, and what the operator allows beside them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::invalid::Invalid;
use super::networks::Networks;
use super::webhook::WebhookUrl;

/// What is not public of IPv4, by IANA's registry of special-purpose addresses, and multicast. The last one is public by the
/// registry, and is the host of a cloud's own agent.
const CLOSED: [Ipv4Net; 17] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
    v4([168, 63, 129, 16], 32),
];

/// All of IPv6 that is given out to hosts; whatever else there is (loopback, unique-local, link-local, multicast, NAT64, IPv4
/// in another form) is outside of it.
const GLOBAL: Ipv6Net = v6([0x2000, 0], 3);

/// What is not public of that: protocols' own (Teredo among them), documentation, and 6to4, which holds an IPv4 address.
const CLOSED_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0], 23),
    v6([0x2001, 0x0db8], 32),
    v6([0x2002, 0], 16),
    v6([0x3fff, 0], 20),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b]: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// What webhooks may reach.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct WebhookReach {
    allowed: Networks,
}

impl WebhookReach {
    /// Public addresses, and these.
    #[must_use]
    pub const fn new(allowed: Networks) -> Self {
        Self { allowed }
    }

    /// Whether this address may be connected to. In clear only what the operator allows.
    #[must_use]
    pub fn may_reach(&self, address: IpAddr, is_clear: bool) -> bool {
        let address = address.to_canonical();
        self.allowed.contains(address) || (!is_clear && is_public(address))
    }

    /// Refuses a URL of which it is known without asking anybody that it leads where no webhook may. What a name leads to is
    /// found out at each sending.
    pub fn check(&self, url: &WebhookUrl) -> Result<(), Invalid> {
        if url.is_clear() && self.allowed.is_empty() {
            return Err(Invalid::new("must begin with `https://`"));
        }
        let leads = match url.literal() {
            Some(address) => vec![address],
            None if url.is_local_name() => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            None => return Ok(()),
        };
        let may_reach = |address: &IpAddr| self.may_reach(*address, url.is_clear());
        if !leads.iter().any(may_reach) {
            return Err(Invalid::new(
                "must lead to a public address; the operator may allow others (`webhooks.allow`)",
            ));
        }
        Ok(())
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL.contains(&address) && !CLOSED_V6.iter().any(|net| net.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn reach(allowed: &str) -> WebhookReach {
        WebhookReach::new(allowed.parse().unwrap())
    }

    #[rstest]
    #[case::unspecified("0.0.0.0")]
    #[case::this_network("0.1.2.3")]
    #[case::loopback("127.0.0.1")]
    #[case::all_of_loopback("127.9.8.7")]
    #[case::private_10("10.1.2.3")]
    #[case::private_172("172.31.255.255")]
    #[case::private_192("192.168.0.1")]
    #[case::carrier("100.64.0.1")]
    #[case::carrier_metadata("100.100.100.200")]
    #[case::link_local("169.254.1.1")]
    #[case::metadata("169.254.169.254")]
    #[case::cloud_agent("168.63.129.16")]
    #[case::protocols("192.0.0.192")]
    #[case::documentation("192.0.2.1")]
    #[case::documentation_2("198.51.100.1")]
    #[case::documentation_3("203.0.113.1")]
    #[case::benchmark("198.19.255.255")]
    #[case::multicast("224.0.0.1")]
    #[case::multicast_end("239.255.255.255")]
    #[case::reserved("240.0.0.1")]
    #[case::broadcast("255.255.255.255")]
    #[case::loopback_6("::1")]
    #[case::unspecified_6("::")]
    #[case::mapped_loopback("::ffff:127.0.0.1")]
    #[case::mapped_private("::ffff:10.0.0.1")]
    #[case::mapped_metadata("::ffff:169.254.169.254")]
    #[case::compatible("::127.0.0.1")]
    #[case::nat64("64:ff9b::7f00:1")]
    #[case::six_to_four("2002:7f00:1::")]
    #[case::teredo("2001:0:1::1")]
    #[case::documentation_6("2001:db8::1")]
    #[case::documentation_6_2("3fff::1")]
    #[case::unique_local("fd00:ec2::254")]
    #[case::unique_local_fc("fc00::1")]
    #[case::link_local_6("fe80::1")]
    #[case::site_local("fec0::1")]
    #[case::multicast_6("ff02::1")]
    #[case::discard("100::1")]
    fn what_is_not_public_is_reached_by_no_webhook(#[case] address: &str) {
        assert!(!reach("").may_reach(address.parse().unwrap(), false));
    }

    #[rstest]
    #[case("1.1.1.1")]
    #[case("11.0.0.1")]
    #[case("100.63.255.255")]
    #[case("100.128.0.1")]
    #[case("172.15.255.255")]
    #[case("172.32.0.1")]
    #[case("192.0.1.1")]
    #[case("223.255.255.255")]
    #[case("::ffff:1.1.1.1")]
    #[case("2606:4700:4700::1111")]
    #[case("2001:200::1")]
    #[case("2a00:1450::1")]
    fn what_is_public_is_reached_with_tls_and_not_without(#[case] address: &str) {
        let address = address.parse().unwrap();
        assert!(reach("").may_reach(address, false));
        assert!(!reach("").may_reach(address, true));
        assert!(!reach("10.0.0.0/8").may_reach(address, true));
    }

    #[rstest]
    #[case("10.1.2.3")]
    #[case("::ffff:10.1.2.3")]
    #[case("fd00::7")]
    fn what_the_operator_allows_is_reached_with_and_without_tls(#[case] address: &str) {
        let (reach, address) = (reach("10.0.0.0/8 fd00::/8"), address.parse().unwrap());
        assert!(reach.may_reach(address, false) && reach.may_reach(address, true));
        assert!(!reach.may_reach("192.168.0.1".parse().unwrap(), false));
    }

    #[rstest]
    #[case("", "http://example.com/")]
    #[case("", "https://localhost/")]
    #[case("", "https://a.localhost./")]
    #[case("", "https://127.0.0.1/")]
    #[case("", "https://2130706433/")]
    #[case("", "https://0/")]
    #[case("", "https://[::ffff:7f00:1]/")]
    #[case("", "https://169.254.169.254/latest")]
    #[case("10.0.0.0/8", "http://1.1.1.1/")]
    #[case("10.0.0.0/8", "https://localhost/")]
    #[case("10.0.0.0/8", "https://192.168.1.1/")]
    fn a_url_that_leads_where_no_webhook_may_is_refused_at_once(#[case] allowed: &str, #[case] url: &str) {
        let url: WebhookUrl = url.parse().unwrap();
        assert!(reach(allowed).check(&url).is_err());
    }

    #[rstest]
    #[case("", "https://example.com/")]
    #[case("", "https://1.1.1.1:8443/")]
    #[case("10.0.0.0/8", "http://10.0.0.1/")]
    #[case("10.0.0.0/8", "http://crm.example.internal/")]
    #[case("127.0.0.0/8", "http://localhost:8080/")]
    #[case("127.0.0.0/8", "https://127.0.0.1/")]
    fn one_that_may_lead_elsewhere_is_taken(#[case] allowed: &str, #[case] url: &str) {
        let url: WebhookUrl = url.parse().unwrap();
        assert_eq!(reach(allowed).check(&url), Ok(()));
    }
}
