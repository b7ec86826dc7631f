//! Random IP packets.

use std::net::{Ipv4Addr, Ipv6Addr};

use fastrand::Rng;

use super::{
    frames::FIRST_DENIED_ID,
    upper::{Upper, upper},
};

/// IPv6 extension headers that nftables and the programs walk; then those that only the programs do,
/// in front of packets that neither policy nor neighbour discovery lets in.
const EXTENSIONS: [u8; 10] = [0, 43, 43, 60, 60, 51, 135, 139, 140, 253];
/// How many both walk.
const COMMON_EXTENSIONS: usize = 5;
/// Those that only the programs walk.
pub(super) const ONLY_WALKED_BY_PROGRAMS: [u8; 4] = [51, 135, 139, 140];
/// Bytes of the pieces of a fragmented packet; the last one has what is left.
const PIECE_BYTES: usize = 24;

/// IPv4's EtherType.
const IPV4: u16 = 0x0800;
/// ICMPv6's number.
const ICMPV6: u8 = 58;
/// IPv6's EtherType.
const IPV6: u16 = 0x86dd;

/// Makes packets, and the later fragments of those before.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    /// Fragments that are not sent yet, with their EtherType.
    due: Vec<(u16, Vec<u8>)>,
}

impl Datagrams {
    /// Writes a packet; its EtherType.
    pub(super) fn next(&mut self, rng: &mut Rng, to: &mut Vec<u8>) -> u16 {
        if !self.due.is_empty() && rng.bool() {
            let (kind, bytes) = self.due.swap_remove(rng.usize(..self.due.len()));
            to.extend(bytes);
            return kind;
        }
        let v6 = rng.bool();
        let upper = upper(rng, v6);
        if v6 {
            self.ipv6(rng, &upper, to);
            IPV6
        } else {
            self.ipv4(rng, &upper, to);
            IPV4
        }
    }

    fn ipv4(&mut self, rng: &mut Rng, upper: &Upper, to: &mut Vec<u8>) {
        let mut options = Vec::new();
        if rng.u8(0..8) == 0 {
            options.resize(4 * rng.usize(1..=10), 1);
            if rng.u8(0..4) == 0 {
                let at = rng.usize(..options.len());
                options[at] = *pick(rng, &[0, 7, 68, 130, 131, 137, 148, 255]);
            }
        }
        let (source, destination) = (source4(rng, upper), destination4(rng));
        let hop_limit = *pick(rng, &[64, 64, 64, 1, 255]);
        let header = |id: u16, field: u16, body: &[u8]| {
            let length = 20 + options.len();
            let total = u16::try_from(length + body.len()).unwrap_or(u16::MAX);
            let words = u8::try_from(length / 4).unwrap_or(15);
            let mut bytes = vec![0x40 | words, 0];
            bytes.extend(total.to_be_bytes());
            bytes.extend(id.to_be_bytes());
            bytes.extend(field.to_be_bytes());
            bytes.extend([hop_limit, upper.protocol, 0, 0]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
            bytes.extend(&options);
            set_checksum(&mut bytes);
            bytes.extend(body);
            bytes
        };
        let id = identification(rng, upper.allowed);
        if rng.u8(0..8) != 0 {
            to.extend(header(id, 0, &upper.bytes));
            return;
        }
        let pieces = pieces(rng, &upper.bytes);
        let mut pieces = pieces.iter().map(|piece| {
            let field = (piece.offset / 8) | (u16::from(piece.more) << 13);
            header(id, field, piece.bytes)
        });
        to.extend(pieces.next().unwrap_or_default());
        self.due.extend(pieces.map(|bytes| (IPV4, bytes)));
    }

    fn ipv6(&mut self, rng: &mut Rng, upper: &Upper, to: &mut Vec<u8>) {
        let chain = extension_numbers(rng, upper);
        let (source, destination) = (source6(rng, upper), destination6(rng));
        let hop_limit = *pick(rng, &[64, 64, 1, 255, 255]);
        let types: Vec<u8> = chain.iter().map(|_| rng.u8(0..6)).collect();
        let packet = |fragment: Option<(u16, u32)>, body: &[u8]| {
            let (first, extensions) = extensions(&chain, &types, fragment, upper.protocol);
            let length = u16::try_from(extensions.len() + body.len()).unwrap_or(u16::MAX);
            let mut bytes = vec![0x60, 0, 0, 0];
            bytes.extend(length.to_be_bytes());
            bytes.extend([first, hop_limit]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
            bytes.extend(extensions);
            bytes.extend(body);
            bytes
        };
        if rng.u8(0..8) != 0 {
            to.extend(packet(None, &upper.bytes));
            return;
        }
        let id = (u32::from(identification(rng, upper.allowed)) << 16) | u32::from(rng.u16(..));
        let pieces = pieces(rng, &upper.bytes);
        let mut pieces = pieces.iter().map(|piece| {
            let field = piece.offset | u16::from(piece.more);
            packet(Some((field, id)), piece.bytes)
        });
        to.extend(pieces.next().unwrap_or_default());
        self.due.extend(pieces.map(|bytes| (IPV6, bytes)));
        self.due.truncate(64);
    }
}

/// The extension headers of a packet, by number; mostly none.
fn extension_numbers(rng: &mut Rng, upper: &Upper) -> Vec<u8> {
    if rng.u8(0..5) != 0 {
        return Vec::new();
    }
    let known = if upper.allowed || upper.protocol == ICMPV6 {
        COMMON_EXTENSIONS
    } else {
        EXTENSIONS.len()
    };
    (0..rng.usize(1..=11))
        .map(|_| *pick(rng, &EXTENSIONS[..known]))
        .collect()
}

/// Extension headers with these numbers, then a fragment header of this field and identification, in front
/// of `protocol`; with the number of the first header.
fn extensions(
    chain: &[u8],
    types: &[u8],
    fragment: Option<(u16, u32)>,
    protocol: u8,
) -> (u8, Vec<u8>) {
    let mut bytes = Vec::new();
    let last = if fragment.is_some() { 44 } else { protocol };
    for (index, number) in chain.iter().enumerate() {
        bytes.push(chain.get(index + 1).copied().unwrap_or(last));
        match number {
            // Routing: its type, and no segments left.
            43 => bytes.extend([0, types[index], 0, 0, 0, 0, 0]),
            51 => bytes.extend([0, 0, 0, 0, 0, 1, 1]),
            // Options: padding.
            _ => bytes.extend([0, 1, 4, 0, 0, 0, 0]),
        }
    }
    if let Some((field, id)) = fragment {
        bytes.extend([protocol, 0]);
        bytes.extend(field.to_be_bytes());
        bytes.extend(id.to_be_bytes());
    }
    (chain.first().copied().unwrap_or(last), bytes)
}

/// One of the items.
pub(super) fn pick<'a, T>(rng: &mut Rng, items: &'a [T]) -> &'a T {
    &items[rng.usize(0..items.len())]
}

/// The identification of fragments of a packet that policy allows, or does not.
fn identification(rng: &mut Rng, allowed: bool) -> u16 {
    let id = rng.u16(..);
    if allowed {
        id & (FIRST_DENIED_ID - 1)
    } else {
        id | FIRST_DENIED_ID
    }
}

/// A part of what follows an IP header.
struct Piece<'a> {
    offset: u16,
    more: bool,
    bytes: &'a [u8],
}

/// Cuts a packet in pieces; some overlap, some begin at an odd place, and some are all of it.
fn pieces<'a>(rng: &mut Rng, bytes: &'a [u8]) -> Vec<Piece<'a>> {
    let first = *pick(
        rng,
        &[8, 16, PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, bytes.len()],
    );
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let length = if start == 0 { first } else { PIECE_BYTES };
        let end = (start + length).min(bytes.len());
        pieces.push(Piece {
            offset: u16::try_from(start).unwrap_or(u16::MAX) & !7,
            more: end < bytes.len() || rng.u8(0..16) == 0,
            bytes: &bytes[start..end],
        });
        start = end;
    }
    // An overlap: the transport header once more, as a later piece.
    if rng.u8(0..6) == 0 {
        pieces.push(Piece {
            offset: 8,
            more: rng.bool(),
            bytes: &bytes[..bytes.len().min(PIECE_BYTES)],
        });
    }
    pieces
}

/// Sets the checksum of an IPv4 header.
pub(super) fn set_checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum: u32 = header
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let [_, _, high, low] = (!sum).to_be_bytes();
    header[10..12].copy_from_slice(&[high, low]);
}

/// Source address of a packet. Strange sources send nothing that policy allows, or the answers to them
/// would be replies.
fn source4(rng: &mut Rng, upper: &Upper) -> Ipv4Addr {
    const STRANGE: [[u8; 4]; 7] = [
        [192, 0, 2, 10],
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
        [10, 0, 0, 77],
        [169, 254, 1, 1],
    ];
    if !upper.allowed && rng.u8(0..8) == 0 {
        return (*pick(rng, &STRANGE)).into();
    }
    [198, 51, 100, rng.u8(..)].into()
}

fn destination4(rng: &mut Rng) -> Ipv4Addr {
    const STRANGE: [[u8; 4]; 12] = [
        [10, 0, 0, 1],
        [10, 0, 0, 5],
        [10, 0, 0, 5],
        [10, 0, 0, 255],
        [192, 0, 2, 255],
        [192, 0, 2, 0],
        [255, 255, 255, 255],
        [224, 0, 0, 1],
        [224, 0, 0, 251],
        [127, 0, 0, 1],
        [0, 0, 0, 0],
        [169, 254, 1, 1],
    ];
    if rng.bool() {
        return (*pick(rng, &STRANGE)).into();
    }
    [192, 0, 2, 10].into()
}

fn source6(rng: &mut Rng, upper: &Upper) -> Ipv6Addr {
    const STRANGE: [[u16; 8]; 6] = [
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0xffff, 0xc633, 0x6407],
        [0xff02, 0, 0, 0, 0, 0, 0, 1],
        [0xfe80, 0, 0, 0, 0, 0, 0, 0x77],
    ];
    if !upper.allowed && rng.u8(0..6) == 0 {
        return (*pick(rng, &STRANGE)).into();
    }
    [0x2001, 0xdb8, 0xc, 0, 0, 0, 0, rng.u16(..)].into()
}

fn destination6(rng: &mut Rng) -> Ipv6Addr {
    const STRANGE: [[u16; 8]; 11] = [
        [0x2001, 0xdb8, 0x10, 0, 0, 0, 0, 1],
        [0x2001, 0xdb8, 0x10, 0, 0, 0, 0, 5],
        [0x2001, 0xdb8, 0x10, 0, 0, 0, 0, 5],
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0],
        [0xff02, 0, 0, 0, 0, 0, 0, 1],
        [0xff02, 0, 0, 0, 0, 0, 0, 2],
        [0xff02, 0, 0, 0, 0, 1, 0xff00, 0x10],
        [0xff05, 0, 0, 0, 0, 0, 0, 2],
        [0, 0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x20a],
    ];
    if rng.bool() {
        return (*pick(rng, &STRANGE)).into();
    }
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10].into()
}
