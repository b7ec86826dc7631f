//! The tables of the two generations, as compiled by userspace.
//!
//! Each table is an array of two inner maps. A packet reads [`control`] once and looks everything up
//! in one [`Slot`], so that it never meets a mixture of generations. Most inner arrays differ in
//! length from generation to generation, which the kernel allows with `BPF_F_INNER_MAP`; their lengths
//! here are those of the templates. Those whose length is given are the halves of one array each: the
//! kernel compiles a look-up there in place, and it touches nothing but the entry. Userspace fills
//! arrays, and flips the control word with one store, through memory mappings.

use aya_ebpf::{
    bindings::{BPF_F_INNER_MAP, BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    btf_maps::{Array, ArrayOfMaps, HashMap},
    macros::btf_map,
};
use hep_common::{
    address::{ROOT_LEN, Ranges4, Ranges6Low, Ranges6Mid, Ranges6Top, Run},
    endpoint::{Interface, MAX_PROBES, QUICK_INTERFACES, quick_place},
    local::{Local, LocalAddress, MAX_LOCAL, OwnState, QUICK_LEN, QuickLocal},
    named_port::{NamedPortClass, NamedPortKey},
    port::{DESTINATION_BLOCKS, PortClasses, SOURCE_BLOCKS},
    rule::{List, Page, Row, WORDS_PER_LIST, WORDS_PER_PAGE},
    settings::{Control, Settings},
};

use crate::helpers::{Aligned, opaque};

/// Number of slots of each outer map.
const SLOTS: usize = 2;
/// Length of the inner arrays' template.
const TEMPLATE_LEN: usize = 1;

/// A table of one generation, of any length.
pub(crate) type Table<T> = Array<T, TEMPLATE_LEN, { (BPF_F_INNER_MAP | BPF_F_MMAPABLE) as usize }>;

/// Which of the two generations a packet is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Slot(u32);

impl Slot {
    /// The slot of `generation`.
    #[inline(always)]
    pub(crate) const fn of(generation: u32) -> Self {
        Self(generation & 1)
    }

    /// The slot's number, to hand it to a function that the kernel verifies by itself.
    #[inline(always)]
    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

/// Declares outer maps, and for each a function that finds the table of a generation.
macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $name:ident: $table:ty, $get:ident;)+) => {
        $(
            #[btf_map]
            static $name: ArrayOfMaps<$table, SLOTS> = ArrayOfMaps::new();

            $(#[doc = $doc])+
            #[inline(always)]
            pub(crate) fn $get(slot: Slot) -> Option<&'static $table> {
                $name.get(slot.0)
            }
        )+
    };
}

tables! {
    /// Interfaces.
    IFACES: Table<Interface>, interfaces;
    /// Rule lists, their rules, and rows or their numbers by class.
    POLICY: Table<Page>, policy;
    /// Rows of long lists.
    ROWS: Table<Row>, rows;
    /// IPv4 ranges.
    RANGES4: Table<Ranges4>, ranges4;
    /// IPv6 ranges of bits 16–31.
    RANGES6_TOP: Table<Ranges6Top>, ranges6_top;
    /// IPv6 ranges of bits 32–63.
    RANGES6_MID: Table<Ranges6Mid>, ranges6_mid;
    /// IPv6 ranges of bits 64–127.
    RANGES6_LOW: Table<Ranges6Low>, ranges6_low;
}

/// Declares arrays of fixed length whose halves are the generations', and for each a function that
/// finds the entry of a generation.
macro_rules! halves {
    ($($(#[doc = $doc:literal])+ $name:ident: $value:ty, $len:expr, $get:ident;)+) => {
        $(
            #[btf_map]
            static $name: Array<$value, { 2 * $len as usize }, { BPF_F_MMAPABLE as usize }> =
                Array::new();

            $(#[doc = $doc])+
            #[inline(always)]
            pub(crate) fn $get(slot: Slot, place: u32) -> Option<&'static $value> {
                $name.get(slot.0.wrapping_mul($len).wrapping_add(place))
            }
        )+
    };
}

halves! {
    /// The interface that has a place.
    QUICK_IFACES: Interface, QUICK_INTERFACES, quick_interface;
    /// The run of an IPv4 address with these top 16 bits.
    ROOTS4: Run, ROOT_LEN, root4;
    /// The run of an IPv6 address with these top 16 bits.
    ROOTS6: Run, ROOT_LEN, root6;
    /// Classes of a block of destination ports, ICMP types and protocols.
    DPORTS: PortClasses, DESTINATION_BLOCKS, destination_ports;
    /// Classes of a block of source ports.
    SPORTS: PortClasses, SOURCE_BLOCKS, source_ports;
}

/// A list in the `POLICY` table.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    table: &'static Table<Page>,
    words: &'static [u64; WORDS_PER_LIST as usize],
}

impl Policy {
    /// List `number`, and the page that holds it.
    #[inline(always)]
    pub(crate) fn find(slot: Slot, number: u32) -> Option<(Self, Near)> {
        let table = policy(slot)?;
        let first = number.wrapping_mul(WORDS_PER_LIST);
        let number = first / WORDS_PER_PAGE;
        let page = table.get(number)?;
        let position = place(first) & !(WORDS_PER_LIST as usize).wrapping_sub(1);
        let words = page.words.get(position..)?.first_chunk()?;
        Some((Self { table, words }, Near { page, number }))
    }

    /// The list, decoded.
    #[inline(always)]
    pub(crate) const fn list(&self) -> List {
        List::of(self.words)
    }

    /// The word at a place.
    #[inline(always)]
    pub(crate) fn word(&self, at: u32) -> Option<u64> {
        let page = self.table.get(at / WORDS_PER_PAGE)?;
        page.words.get(place(at)).copied()
    }
}

/// The page that holds a list: words near the list need no look-up.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Near {
    page: &'static Page,
    /// Its number.
    number: u32,
}

impl Near {
    /// The word at a place, without a look-up if it is in this page.
    #[inline(always)]
    pub(crate) fn word(&self, policy: &Policy, at: u32) -> Option<u64> {
        if at / WORDS_PER_PAGE == self.number {
            return self.page.words.get(place(at)).copied();
        }
        policy.word(at)
    }
}

/// A word's place in its page.
#[inline(always)]
fn place(at: u32) -> usize {
    opaque(at as usize) & (WORDS_PER_PAGE as usize).wrapping_sub(1)
}

#[btf_map]
static CONTROL: Array<Control, 1, { BPF_F_MMAPABLE as usize }> = Array::new();

#[btf_map]
static SETTINGS: Array<Settings, SLOTS> = Array::new();

#[btf_map]
static NAMED_PORTS: ArrayOfMaps<
    HashMap<NamedPortKey, NamedPortClass, TEMPLATE_LEN, { BPF_F_NO_PREALLOC as usize }>,
    SLOTS,
> = ArrayOfMaps::new();

#[btf_map]
static LOCAL: HashMap<LocalAddress, Local, { MAX_LOCAL as usize }, { BPF_F_NO_PREALLOC as usize }> =
    HashMap::new();

#[btf_map]
static QUICK_LOCAL: Array<QuickLocal, 1> = Array::new();

#[btf_map]
static OWN_STATE: Array<OwnState, 1> = Array::new();

/// The generation in force (0: none yet), and the number of changes to what is local.
#[inline(always)]
#[expect(unsafe_code, reason = "userspace writes the word while it is read")]
pub(crate) fn control() -> (u32, u32) {
    match CONTROL.get_ptr(0) {
        // SAFETY: the kernel returned the value of index 0, which is aligned and lives as long as
        // the program; each word is read once, and userspace stores it whole.
        Some(control) => unsafe {
            (
                (&raw const (*control).generation).read_volatile(),
                (&raw const (*control).classification).read_volatile(),
            )
        },
        None => (0, 0),
    }
}

/// Behaviour of the generation.
#[inline(always)]
pub(crate) fn settings(slot: Slot) -> Option<&'static Settings> {
    SETTINGS.get(slot.0)
}

/// The generation's entry of an interface.
///
/// `None` if it does not mention the interface.
#[inline(always)]
pub(crate) fn interface(slot: Slot, ifindex: u32) -> Option<&'static Interface> {
    let mask = settings(slot)?.interface_mask;
    let interfaces = interfaces(slot)?;
    for probe in 0..MAX_PROBES {
        let interface = interfaces.get(ifindex.wrapping_add(probe) & mask)?;
        if interface.ifindex == ifindex {
            return Some(interface);
        }
    }
    None
}

/// The generation's entry of an interface, found without probing for most. The kernel verifies the code after
/// the call twice, once for each map that the entry may be in.
#[inline(always)]
pub(crate) fn interface_quickly(slot: Slot, ifindex: u32) -> Option<&'static Interface> {
    let quick = quick_interface(slot, quick_place(ifindex))?;
    if quick.ifindex == ifindex {
        return Some(quick);
    }
    crowded_interface(slot, ifindex)
}

/// The entry of an interface that shares its place with another. (Not marked as cold: the compiler would put
/// it into a section of its own, where the loader looks for no functions.)
#[inline(never)]
fn crowded_interface(slot: Slot, ifindex: u32) -> Option<&'static Interface> {
    interface(slot, ifindex)
}

/// The class of a named port; 0 if it is in none. `None` if the generation has no table.
#[inline(always)]
#[expect(unsafe_code, reason = "hash entries are reached through raw pointers")]
pub(crate) fn named_port(slot: Slot, key: NamedPortKey) -> Option<NamedPortClass> {
    let key = Aligned(key);
    let ports = NAMED_PORTS.get(slot.0)?;
    // SAFETY: the value is copied out at once, an aligned 32-bit read; entries of a generation in
    // force do not change.
    let class = unsafe { ports.get(key.0) }.copied();
    Some(class.unwrap_or(0))
}

/// Whether `address` is one of this host's own.
#[inline(always)]
pub(crate) fn is_own_address(address: &LocalAddress) -> bool {
    LOCAL.get_ptr(address).is_some()
}

/// Whether `address` is one of this host's own that its packets may have as their source.
#[inline(always)]
#[expect(unsafe_code, reason = "hash entries are reached through raw pointers")]
pub(crate) fn is_own_source(address: &LocalAddress) -> bool {
    // SAFETY: an aligned 32-bit read of a value that is never changed.
    unsafe { LOCAL.get(address) }.is_some_and(|local| local.shared == 0)
}

/// How far the maps of own addresses can be trusted.
#[inline(always)]
#[expect(unsafe_code, reason = "userspace writes the words while they are read")]
pub(crate) fn own_state() -> OwnState {
    match OWN_STATE.get_ptr(0) {
        // SAFETY: the kernel returned the value of index 0, which is aligned and lives as long as the
        // program; both words have a meaning by themselves.
        Some(state) => unsafe { state.read_volatile() },
        None => OwnState::default(),
    }
}

/// Whether `address` is one of this host's own, found at its place in [`QUICK_LOCAL`]: a quick yes for most
/// of them.
#[inline(always)]
#[expect(
    unsafe_code,
    reason = "userspace writes the addresses while they are read"
)]
pub(crate) fn is_quickly_own(address: &LocalAddress) -> bool {
    let place = opaque(address.place()) & QUICK_LEN.wrapping_sub(1);
    let Some(found) = QUICK_LOCAL
        .get(0)
        .and_then(|quick| quick.addresses.get(place))
    else {
        return false;
    };
    // SAFETY: the reference is to an aligned value that lives as long as the program; whatever is
    // read is an address, at worst half of one and half of another.
    let found = unsafe {
        core::ptr::from_ref(&found.address)
            .cast::<[u64; 2]>()
            .read_volatile()
    };
    let [high, low] = halves(address.address);
    // Zeros are no address.
    found == [high, low] && low != 0
}

/// Both halves of an address, as they are in memory.
#[inline(always)]
const fn halves(address: [u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = address;
    [
        u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        u64::from_ne_bytes(rest),
    ]
}
