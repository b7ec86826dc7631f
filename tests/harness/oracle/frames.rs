//! Random frames, as a hostile neighbour could send them.
//!
//! Most of each is well formed, so that it gets far; its oddities are drawn anew every time: tags,
//! EtherTypes, addresses, options, extension headers, fragments, lengths, and bytes that are overwritten in
//! the end.
//!
//! Policy accepts UDP to [`UDP_PORT`], TCP to [`TCP_PORT`] and echo requests. The identification of a
//! fragment shows whether it is of such a packet: see [`FIRST_DENIED_ID`].

use fastrand::Rng;

use super::datagrams::{Datagrams, ONLY_WALKED_BY_PROGRAMS};
use crate::topology::{HOST_MAC, INSIDE_MAC};

/// The UDP port that policy allows.
pub(super) const UDP_PORT: u16 = 5000;
/// The TCP port that policy allows.
pub(super) const TCP_PORT: u16 = 80;
/// Identifications of fragments from here on are of packets that policy denies; of IPv6, these are the
/// upper 16 of 32 bits.
pub(super) const FIRST_DENIED_ID: u16 = 0x8000;

/// Tags have one of these EtherTypes; Linux does not handle the last one.
const TAG_TYPES: [u16; 5] = [0x8100, 0x8100, 0x88a8, 0x88a8, 0x9100];
/// Most tags of a frame.
const MOST_TAGS: usize = 12;

/// A frame.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// EtherType that a driver passes beside a frame that does not contain it.
    pub ether_type: u16,
    /// The bytes, with an Ethernet header or without any.
    pub bytes: Vec<u8>,
}

/// Makes frames.
#[derive(Debug)]
pub(super) struct Maker {
    rng: Rng,
    ethernet: bool,
    datagrams: Datagrams,
}

impl Maker {
    /// Makes frames with an Ethernet header, or without.
    #[must_use]
    pub(super) fn new(seed: u64, ethernet: bool) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            ethernet,
            datagrams: Datagrams::default(),
        }
    }

    /// Another one.
    pub(super) fn frame(&mut self, frame: &mut Frame) {
        let rng = &mut self.rng;
        frame.bytes.clear();
        if self.ethernet {
            frame.bytes.extend(destination(rng));
            frame.bytes.extend([2, 0, 0, 0, 0, rng.u8(..)]);
        }
        let tags = match rng.u8(0..10) {
            0..5 => 0,
            5..7 => rng.usize(1..4),
            _ => rng.usize(1..=MOST_TAGS),
        };
        let mut types = Vec::with_capacity(tags + 1);
        for _ in 0..tags {
            let known = if rng.u8(0..20) == 0 { 5 } else { 4 };
            types.push(TAG_TYPES[rng.usize(..known)]);
        }
        let mut body = Vec::with_capacity(256);
        types.push(network(rng, &mut self.datagrams, &mut body));
        frame.ether_type = types[0];
        if self.ethernet {
            frame.bytes.extend(types[0].to_be_bytes());
        }
        for next in &types[1..] {
            frame.bytes.extend(control(rng).to_be_bytes());
            frame.bytes.extend(next.to_be_bytes());
        }
        let network_at = frame.bytes.len();
        frame.bytes.extend(&body);
        if rng.u8(0..4) == 0 && !is_first_fragment(&body) {
            let whole = frame.bytes.clone();
            damage(rng, frame, if self.ethernet { 14 } else { 0 });
            // What is damaged may look allowed behind these headers, and denied to nftables.
            let damaged = frame.bytes.get(network_at..).unwrap_or_default();
            if headers6(damaged).any(|(number, _)| ONLY_WALKED_BY_PROGRAMS.contains(&number)) {
                frame.bytes = whole;
            }
            if rng.u8(0..10) < 7 {
                mend_checksum(&mut frame.bytes, network_at);
            }
        }
        if self.ethernet && frame.bytes.len() < 14 {
            frame.bytes.resize(14, 0);
        }
    }
}

/// Destination of a frame: mostly the interface under test.
fn destination(rng: &mut Rng) -> [u8; 6] {
    match rng.u8(0..40) {
        0..34 => HOST_MAC,
        34..37 => INSIDE_MAC,
        37 => [0xff; 6],
        38 => [0x01, 0x00, 0x5e, 0, 0, 1],
        _ => [0x33, 0x33, 0, 0, 0, 1],
    }
}

/// Control field of a tag: mostly VLAN 0, of any priority.
fn control(rng: &mut Rng) -> u16 {
    let priority = u16::from(rng.u8(0..16)) << 12;
    let id = match rng.u8(0..16) {
        0 => 5,
        1 => rng.u16(0..4096),
        _ => 0,
    };
    priority | id
}

/// Writes what a frame carries; its EtherType.
fn network(rng: &mut Rng, datagrams: &mut Datagrams, to: &mut Vec<u8>) -> u16 {
    let mut ip = |rng: &mut Rng, to: &mut Vec<u8>| datagrams.next(rng, to);
    match rng.u8(0..32) {
        // LLC/SNAP, as IEEE 802.2 wraps it: a length in place of the EtherType.
        0 => {
            to.extend([0xaa, 0xaa, 3, 0, 0, 0]);
            let at = to.len();
            to.extend([0, 0]);
            let inner = ip(rng, to);
            to[at..at + 2].copy_from_slice(&inner.to_be_bytes());
            u16::try_from(to.len().min(1500)).unwrap_or(1500)
        }
        1 => {
            to.extend([0, 0, 0x01 | (rng.u8(..) << 4), 64]);
            ip(rng, to);
            0x8847 + u16::from(rng.bool())
        }
        // A PPPoE session.
        2 => {
            let mut inner = Vec::new();
            let kind = ip(rng, &mut inner);
            let ppp: u16 = if kind == 0x0800 { 0x0021 } else { 0x0057 };
            let length = u16::try_from(inner.len() + 2).unwrap_or(u16::MAX);
            to.extend([0x11, 0, 0, 1]);
            to.extend(length.to_be_bytes());
            to.extend(ppp.to_be_bytes());
            to.extend(inner);
            0x8864
        }
        // Ethernet in Ethernet.
        3 => {
            to.extend(HOST_MAC);
            to.extend([2, 0, 0, 0, 0, 9]);
            let at = to.len();
            to.extend([0, 0]);
            let inner = ip(rng, to);
            to[at..at + 2].copy_from_slice(&inner.to_be_bytes());
            0x6558
        }
        4 => {
            to.extend([0, 1, 8, 0, 6, 4, 0, rng.u8(1..4)]);
            to.extend([0; 20]);
            0x0806
        }
        // IP under the EtherType of something else, or of the other family.
        5 => {
            let of = ip(rng, to);
            match rng.u8(0..4) {
                0 => rng.u16(..),
                1 => rng.u16(0..0x600),
                _ => of ^ 0x0800 ^ 0x86dd,
            }
        }
        _ => ip(rng, to),
    }
}

/// Overwrites, cuts or lengthens a frame after its first `from` bytes.
fn damage(rng: &mut Rng, frame: &mut Frame, from: usize) {
    let bytes = &mut frame.bytes;
    if bytes.len() <= from + 1 {
        return;
    }
    match rng.u8(0..8) {
        0 => bytes.truncate(rng.usize(from..bytes.len())),
        1 => bytes.resize(bytes.len() + rng.usize(1..64), 0),
        2 => {
            let at = rng.usize(from..bytes.len());
            bytes.remove(at);
        }
        3 => {
            let at = rng.usize(from..bytes.len());
            bytes.insert(at, rng.u8(..));
        }
        _ => {
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(from..bytes.len().min(from + 72));
                let damaged = match rng.u8(0..3) {
                    0 => bytes[at] ^ (1 << rng.u8(0..8)),
                    1 => 0,
                    _ => rng.u8(..),
                };
                bytes[at] = damaged;
            }
        }
    }
}

/// Numbers of the headers behind an IPv6 header, and what begins with each, up to one that nftables does
/// not walk.
fn headers6(packet: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let is_v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    let mut next = packet.get(6).copied().filter(|_number| is_v6);
    let mut rest = packet.get(40..).unwrap_or_default();
    std::iter::from_fn(move || {
        let number = next.take()?;
        let this = rest;
        let length = match number {
            0 | 43 | 60 => this.get(1).map(|length| (usize::from(*length) + 1) * 8),
            44 => Some(8),
            _ => None,
        };
        if let Some(behind) = length.and_then(|length| this.get(length..)) {
            next = this.first().copied();
            rest = behind;
        }
        Some((number, this))
    })
}

/// Whether a packet is the first fragment of one, on which the verdict of the others depends: damaged, it
/// may be of another packet than its identification indicates.
fn is_first_fragment(packet: &[u8]) -> bool {
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    is_v4
        && matches!(packet, [_, _, _, _, _, _, field, low, ..] if field & 0x3f == 0x20 && *low == 0)
        || headers6(packet).any(|(number, header)| {
            number == 44 && matches!(header, [_, _, 0, low, ..] if low >> 3 == 0)
        })
}

/// Makes the checksum of an IPv4 header right, so that its damage is not all that the kernel sees.
fn mend_checksum(bytes: &mut [u8], at: usize) {
    let Some(first) = bytes.get(at) else { return };
    let length = usize::from(first & 15) * 4;
    if first >> 4 == 4
        && length >= 20
        && let Some(header) = bytes.get_mut(at..at + length)
    {
        super::datagrams::set_checksum(header);
    }
}
