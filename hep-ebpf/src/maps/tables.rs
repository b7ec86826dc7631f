//! What userspace compiled: the tables of the two generations.
//!
//! Each table is an array of two inner maps. A packet reads [`control`] once and looks everything up
//! in one [`Slot`], so that it never meets a mixture of generations. Inner arrays differ in length
//! from generation to generation, which the kernel allows with `BPF_F_INNER_MAP`; the lengths here
//! are those of the templates. Userspace fills arrays, and flips the control word with one store,
//! through memory mappings.

use aya_ebpf::{
    bindings::{BPF_F_INNER_MAP, BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    btf_maps::{Array, ArrayOfMaps, HashMap},
    macros::btf_map,
};
use hep_common::{
    address::{Ranges4, Ranges6Low, Ranges6Mid, Ranges6Top, Run},
    endpoint::Interface,
    local::{Local, LocalAddress, MAX_LOCAL},
    named_port::{NamedPortClass, NamedPortKey},
    port::PortClasses,
    rule::{IndexBlock, List, Row, Rule},
    settings::{Control, Settings},
};

/// Number of slots of each outer map.
const SLOTS: usize = 2;
/// Length of the inner arrays' template.
const TEMPLATE_LEN: usize = 1;

/// Inner array of a generation's table.
type Table<T> =
    ArrayOfMaps<Array<T, TEMPLATE_LEN, { (BPF_F_INNER_MAP | BPF_F_MMAPABLE) as usize }>, SLOTS>;

/// Which of the two generations a packet is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Slot(u32);

impl Slot {
    /// The slot of `generation`.
    #[inline(always)]
    pub(crate) const fn of(generation: u32) -> Self {
        Self(generation & 1)
    }
}

/// Declares outer maps, and for each a function that reads one of its values.
macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $name:ident: $value:ty, $get:ident;)+) => {
        $(
            #[btf_map]
            static $name: Table<$value> = Table::new();

            $(#[doc = $doc])+
            #[inline(always)]
            pub(crate) fn $get(slot: Slot, index: u32) -> Option<&'static $value> {
                $name.get_value(slot.0, &index)
            }
        )+
    };
}

tables! {
    /// A slot of the interface table.
    IFACES: Interface, interface;
    /// A rule list.
    LISTS: List, list;
    /// A rule.
    RULES: Rule, rule;
    /// Row numbers.
    INDEX: IndexBlock, index;
    /// A row of rule bits.
    ROWS: Row, row;
    /// The run of an IPv4 address's top 16 bits.
    ROOTS4: Run, root4;
    /// IPv4 ranges.
    RANGES4: Ranges4, ranges4;
    /// The run of an IPv6 address's top 16 bits.
    ROOTS6: Run, root6;
    /// IPv6 ranges of bits 16–31.
    RANGES6_TOP: Ranges6Top, ranges6_top;
    /// IPv6 ranges of bits 32–63.
    RANGES6_MID: Ranges6Mid, ranges6_mid;
    /// IPv6 ranges of bits 64–127.
    RANGES6_LOW: Ranges6Low, ranges6_low;
    /// Classes of destination ports, ICMP types and protocols.
    DPORTS: PortClasses, destination_ports;
    /// Classes of source ports.
    SPORTS: PortClasses, source_ports;
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

/// The word that says which generation is in force.
#[inline(always)]
pub(crate) fn control() -> Option<&'static Control> {
    CONTROL.get(0)
}

/// Behaviour of the generation.
#[inline(always)]
pub(crate) fn settings(slot: Slot) -> Option<&'static Settings> {
    SETTINGS.get(slot.0)
}

/// The class of a named port; 0 if it is in none.
#[inline(always)]
#[expect(unsafe_code, reason = "hash entries are reached through raw pointers")]
pub(crate) fn named_port(slot: Slot, key: &NamedPortKey) -> Option<NamedPortClass> {
    let ports = NAMED_PORTS.get(slot.0)?;
    // SAFETY: the value is copied out at once, an aligned 32-bit read; entries of a generation in
    // force do not change.
    let class = unsafe { ports.get(key) }.copied();
    Some(class.unwrap_or(0))
}

/// Whether `address` is one of this host's own.
#[inline(always)]
pub(crate) fn is_own_address(address: &LocalAddress) -> bool {
    LOCAL.get_ptr(address).is_some()
}
