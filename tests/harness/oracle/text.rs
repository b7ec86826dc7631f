//! A frame as text.

use std::fmt::Write as _;

use super::frames::Frame;

/// Description of a frame, as far as one line allows, and its bytes.
pub(super) fn describe(frame: &Frame, ethernet: bool) -> String {
    let bytes = &frame.bytes;
    let mut text = String::new();
    let (kind, at) = if ethernet {
        (word(bytes, 12), 14)
    } else {
        (frame.ether_type, 0)
    };
    let (kind, at) = tags(&mut text, bytes, kind, at);
    put(&mut text, format_args!("type {kind:04x}, "));
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first().map(|first| first >> 4) {
        Some(4) if rest.len() >= 20 => ipv4(&mut text, rest),
        Some(6) if rest.len() >= 40 => ipv6(&mut text, rest),
        _ => text.push_str("no IP header"),
    }
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{text}\n  {:04x} {}", frame.ether_type, hex.concat())
}

/// Tags from an offset on, the first of EtherType `kind`; returns the EtherType and the offset after them.
fn tags(text: &mut String, bytes: &[u8], mut kind: u16, mut at: usize) -> (u16, usize) {
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) && at + 4 <= bytes.len() {
        let control = word(bytes, at);
        let (id, priority) = (control & 0xfff, control >> 12);
        put(
            text,
            format_args!("tag {kind:04x} vlan {id} priority {priority:x}, "),
        );
        kind = word(bytes, at + 2);
        at += 4;
    }
    (kind, at)
}

/// A packet of at least 20 bytes.
fn ipv4(text: &mut String, packet: &[u8]) {
    let words = usize::from(packet[0] & 15);
    let (id, fragment) = (word(packet, 4), word(packet, 6));
    put(
        text,
        format_args!(
            "IPv4 {} → {} header {words} words, total {}, id {id:04x}, fragment \
             {fragment:04x}, hop limit {}, ",
            dotted(&packet[12..16]),
            dotted(&packet[16..20]),
            word(packet, 2),
            packet[8],
        ),
    );
    upper(text, packet[9], packet.get(words * 4..).unwrap_or_default());
}

/// A packet of at least 40 bytes.
fn ipv6(text: &mut String, packet: &[u8]) {
    let address = |from: usize| {
        let groups: Vec<String> = (0..8)
            .map(|group| format!("{:x}", word(packet, from + 2 * group)))
            .collect();
        groups.join(":")
    };
    put(
        text,
        format_args!(
            "IPv6 {} → {} payload {}, hop limit {}, ",
            address(8),
            address(24),
            word(packet, 4),
            packet[7]
        ),
    );
    upper(text, packet[6], &packet[40..]);
}

/// Extension headers, and the first words of what follows.
fn upper(text: &mut String, mut protocol: u8, mut bytes: &[u8]) {
    while matches!(protocol, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) && bytes.len() >= 8 {
        let length = match protocol {
            44 => 8,
            51 => (usize::from(bytes[1]) + 2) * 4,
            _ => (usize::from(bytes[1]) + 1) * 8,
        };
        put(
            text,
            format_args!("header {protocol} ({:02x}{:02x}), ", bytes[2], bytes[3]),
        );
        protocol = bytes[0];
        bytes = bytes.get(length..).unwrap_or_default();
    }
    put(
        text,
        format_args!(
            "protocol {protocol}, {} bytes, starting {} {}",
            bytes.len(),
            word(bytes, 0),
            word(bytes, 2)
        ),
    );
    if protocol == 6 {
        let flags = bytes.get(13).copied().unwrap_or_default();
        put(text, format_args!(", flags {flags:02x}"));
    }
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments)
        .expect("a text takes all there is");
}

/// Two bytes at an offset; 0 where there are none.
fn word(bytes: &[u8], at: usize) -> u16 {
    match bytes.get(at..at + 2) {
        Some([high, low]) => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

fn dotted(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(ToString::to_string).collect();
    parts.join(".")
}
