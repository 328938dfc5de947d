//! The address of a caller, and the part of it that identifies the caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `client_address`: the size of the networks whose addresses count as one caller.
///
/// An IPv6 host has a /64 and can use any address of it. If each address counted, one machine would
/// have 2⁶⁴ buckets (RFC 4291 §2.5.4, RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The prefix length for IPv4, at most 32.
    pub ipv4_prefix: u32,
    /// The prefix length for IPv6, at most 128.
    pub ipv6_prefix: u32,
}

impl Default for ClientAddress {
    fn default() -> Self {
        Self { ipv4_prefix: 32, ipv6_prefix: 64 }
    }
}

impl ClientAddress {
    /// The first address of the network of an address, in its shortest form (RFC 5952). An
    /// IPv4-mapped IPv6 address (`::ffff:1.2.3.4`) counts as the IPv4 address. A text that is not an IP
    /// address, such as the path of a socket, is unchanged.
    pub fn masked(&self, address: String) -> String {
        // The zone of a link-local address is the name of an interface of the proxy.
        let plain = address.split_once('%').map_or(address.as_str(), |(plain, _)| plain);
        let Ok(parsed) = plain.parse::<IpAddr>() else { return address };
        match parsed.to_canonical() {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(self.ipv4_prefix));
                Ipv4Addr::from_bits(v4.to_bits() & mask.unwrap_or(0)).to_string()
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.ipv6_prefix));
                Ipv6Addr::from_bits(v6.to_bits() & mask.unwrap_or(0)).to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_caller_and_others_are_not() {
        let default = ClientAddress::default();
        let wide = ClientAddress { ipv4_prefix: 24, ipv6_prefix: 48 };
        let whole = ClientAddress { ipv4_prefix: 32, ipv6_prefix: 128 };
        let least = ClientAddress { ipv4_prefix: 1, ipv6_prefix: 1 };
        for (address, mask, want) in [
            ("192.0.2.77", default, "192.0.2.77"),
            ("192.0.2.77", wide, "192.0.2.0"),
            ("192.0.2.77", least, "128.0.0.0"),
            ("2001:db8:1:2:3:4:5:6", default, "2001:db8:1:2::"),
            ("2001:DB8:1:2:ffff::", default, "2001:db8:1:2::"),
            ("2001:db8:1:3:3:4:5:6", default, "2001:db8:1:3::"),
            ("2001:db8:1:2:3:4:5:6", wide, "2001:db8:1::"),
            ("2001:db8:1:2:3:4:5:6", whole, "2001:db8:1:2:3:4:5:6"),
            ("ffff:db8::1", least, "8000::"),
            ("::1", default, "::"),
            // A mapped IPv4 address is its own caller.
            ("::ffff:192.0.2.77", default, "192.0.2.77"),
            ("::ffff:c000:24d", wide, "192.0.2.0"),
            ("fe80::1%eth0", default, "fe80::"),
            ("/run/client.sock", default, "/run/client.sock"),
            ("", default, ""),
        ] {
            assert_eq!(mask.masked(address.to_owned()), want, "{address} {mask:?}");
        }
    }
}
