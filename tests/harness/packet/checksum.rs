//! The Internet checksum (RFC 1071).

use std::net::IpAddr;

/// Ones' complement of the ones' complement sum of 16-bit words.
pub(super) fn internet(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

/// The pseudo-header of upper-layer checksums, of either family.
pub(super) fn pseudo_header(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    length: usize,
) -> Vec<u8> {
    let mut header = Vec::new();
    for address in [source, destination] {
        match address {
            IpAddr::V4(address) => header.extend(address.octets()),
            IpAddr::V6(address) => header.extend(address.octets()),
        }
    }
    let length = u32::try_from(length).expect("packets are short");
    header.extend(length.to_be_bytes());
    header.extend(u32::from(protocol).to_be_bytes());
    header
}
