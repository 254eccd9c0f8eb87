//! IP networks as the configuration names them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::invalid::Invalid;

/// Addresses and ranges of them; none by default.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether an address is in one of them. An IPv4 address that is written as an IPv6 one is an IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Networks {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let range = |word: &str| {
            let address = word.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| word.parse::<IpNet>()).map_err(|_| {
                Invalid::new(
                    "must be IP addresses or ranges of them, separated by spaces: `127.0.0.1 10.0.0.0/8 fd00::/8`",
                )
            })
        };
        text.split_whitespace()
            .map(range)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&ranges.join(" "))
    }
}
