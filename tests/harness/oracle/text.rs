//! A frame as text.

use std::fmt::Write as _;

use super::frames::Frame;

/// Description of a frame, as far as one line allows, and its bytes.
pub(super) fn describe(frame: &Frame, ethernet: bool) -> String {
    let bytes = &frame.bytes;
    let mut text = String::new();
    let (mut kind, mut at) = (frame.ether_type, 0);
    if ethernet {
        kind = word(bytes, 12);
        at = 14;
    }
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) && at + 4 <= bytes.len() {
        let control = word(bytes, at);
        let (id, priority) = (control & 0xfff, control >> 12);
        put(
            &mut text,
            format_args!("tag {kind:04x} vlan {id} priority {priority:x}, "),
        );
        kind = word(bytes, at + 2);
        at += 4;
    }
    put(&mut text, format_args!("type {kind:04x}, "));
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first().map(|first| first >> 4) {
        Some(4) if rest.len() >= 20 => {
            let words = usize::from(rest[0] & 15);
            let (id, fragment) = (word(rest, 4), word(rest, 6));
            put(
                &mut text,
                format_args!(
                    "IPv4 {} → {} header {words} words, total {}, id {id:04x}, fragment \
                     {fragment:04x}, hop limit {}, ",
                    dotted(&rest[12..16]),
                    dotted(&rest[16..20]),
                    word(rest, 2),
                    rest[8],
                ),
            );
            upper(
                &mut text,
                rest[9],
                rest.get(words * 4..).unwrap_or_default(),
            );
        }
        Some(6) if rest.len() >= 40 => {
            let address = |from: usize| {
                let groups: Vec<String> = (0..8)
                    .map(|group| format!("{:x}", word(rest, from + 2 * group)))
                    .collect();
                groups.join(":")
            };
            put(
                &mut text,
                format_args!(
                    "IPv6 {} → {} payload {}, hop limit {}, ",
                    address(8),
                    address(24),
                    word(rest, 4),
                    rest[7]
                ),
            );
            upper(&mut text, rest[6], &rest[40..]);
        }
        _ => text.push_str("no IP header"),
    }
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{text}\n  {:04x} {}", frame.ether_type, hex.concat())
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
