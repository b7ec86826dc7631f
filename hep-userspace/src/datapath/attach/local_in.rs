//! The programs in front of this host's own processes, for packets that the kernel delivers to these though
//! TC has judged them as forwarded (spec EV-260): a netfilter link for each family, pinned as `local-in-4`
//! and `local-in-6` beside the other links.
//!
//! aya does not support netfilter programs. They are linked as the others are, and then completed with the
//! [`Fact`]s about the running kernel.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use aya_obj::{Function, Object, generated::bpf_insn};
use hep_common::fact::Fact;
use rustc_hash::FxHashMap;

use super::links;
use crate::datapath::{
    Kernel,
    object::embedded,
    sys::{
        kernel_types::KernelTypes,
        netfilter::{self, Program},
    },
};

/// The programs of both families: protocol family, program, pin.
const FAMILIES: [(i32, &str, &str); 2] = [
    (libc::PF_INET, "hep_local_in4", "local-in-4"),
    (libc::PF_INET6, "hep_local_in6", "local-in-6"),
];
/// Priorities of the links among other hooks: after the filters of iptables and nftables (0), before the hook
/// that confirms a connection. A BPF link shares its priority with no other, so the next free one is taken.
const PRIORITIES: std::ops::Range<i32> = 10..40;
/// The module that describes a connection, where connection tracking is one.
const CONNTRACK: &str = "nf_conntrack";
/// `BPF_JMP | BPF_CALL` and `BPF_ALU64 | BPF_MOV | BPF_K`.
const CALL: u8 = 0x85;
const MOVE: u8 = 0xb7;
/// Marks a call as one of a kernel function, by its number.
const PSEUDO_KFUNC_CALL: u8 = 2;

/// Why the programs could not be attached or detached.
#[derive(Debug, thiserror::Error)]
pub enum LocalInError {
    /// The kernel has no such hook.
    #[error("the kernel has no BPF programs for netfilter (Linux 6.4, CONFIG_NETFILTER_BPF_LINK)")]
    Unsupported,
    /// The kernel's types cannot be read.
    #[error("read the kernel's types")]
    Types(#[source] io::Error),
    /// The kernel's types are not as expected.
    #[error("the kernel's types have no {0}")]
    Unknown(&'static str),
    /// The embedded object cannot be used; a defect of the build.
    #[error("the embedded object: {0}")]
    Object(String),
    /// The kernel refused a program.
    #[error("load program {name}")]
    Load {
        /// Its name.
        name: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// The kernel refused a link.
    #[error("attach program {name} to netfilter's local input")]
    Attach {
        /// Name of the program.
        name: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// A pin could not be made or removed.
    #[error("{}", path.display())]
    Pin {
        /// The pin.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// The links of one instance.
#[derive(Debug)]
pub struct LocalIn {
    directory: PathBuf,
    attached: Option<Attached>,
    /// The kernel has no such hook.
    is_unsupported: bool,
}

/// Programs that this process has attached.
#[derive(Debug)]
struct Attached {
    /// Numbers of the programs.
    programs: [Option<u32>; 2],
    knows_connections: bool,
}

impl LocalIn {
    /// The links recorded in `directory`, the directory of links.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            attached: None,
            is_unsupported: false,
        }
    }

    /// Ensures that the programs of this process are in front of the host's own processes; returns whether
    /// they were not. Existing connections continue under generation `spare`, unless that is 0.
    ///
    /// # Errors
    ///
    /// [`LocalInError`]; what was attached before still is.
    pub fn attach(&mut self, kernel: &Kernel, spare: u32) -> Result<bool, LocalInError> {
        if self.is_unsupported {
            return Err(LocalInError::Unsupported);
        }
        if let Some(attached) = &self.attached
            && attached.programs == programs(&self.directory)
            && attached.programs.iter().all(Option::is_some)
            && (attached.knows_connections
                || !Path::new("/sys/kernel/btf").join(CONNTRACK).exists())
        {
            return Ok(false);
        }
        let types = KernelTypes::read().map_err(LocalInError::Types)?;
        if types.offset("bpf_nf_ctx", "skb").is_none() {
            self.is_unsupported = true;
            return Err(LocalInError::Unsupported);
        }
        let facts = facts(&types, spare)?;
        let mut object = linked(kernel)?;
        for (family, name, pin) in FAMILIES {
            let program = load(kernel, &mut object, name, &facts)?;
            self.link(family, name, pin, &program)?;
        }
        let connections = facts.get(&Fact::ConnectionTuples.mark());
        self.attached = Some(Attached {
            programs: programs(&self.directory),
            knows_connections: connections.is_some_and(|offset| *offset != 0),
        });
        Ok(true)
    }

    /// Whether links are recorded, whichever process attached them.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        is_attached(&self.directory)
    }

    /// Whether the programs that this process has attached can read the kernel's connections; without them no
    /// packet counts as translated.
    #[must_use]
    pub fn knows_connections(&self) -> bool {
        self.attached
            .as_ref()
            .is_some_and(|attached| attached.knows_connections)
    }

    /// Creates a link and pins it in place of the one before, which ends only then.
    fn link(
        &self,
        family: i32,
        name: &'static str,
        pin: &str,
        program: &OwnedFd,
    ) -> Result<(), LocalInError> {
        let is_taken = |result: &io::Result<OwnedFd>| matches!(result, Err(error) if error.raw_os_error() == Some(libc::EBUSY));
        let attach = |priority| netfilter::attach_local_in(program.as_fd(), family, priority);
        let mut tries = PRIORITIES.map(attach).skip_while(is_taken);
        let link = tries
            .next()
            .unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EBUSY)))
            .map_err(|source| LocalInError::Attach { name, source })?;
        let (pin, next) = (
            self.directory.join(pin),
            self.directory.join(format!("{pin}-next")),
        );
        remove(&next)?;
        netfilter::pin(link.as_fd(), &next)
            .and_then(|()| fs::rename(&next, &pin))
            .map_err(|source| LocalInError::Pin { path: pin, source })
    }

    /// Detaches the programs; returns whether there were any.
    ///
    /// # Errors
    ///
    /// [`LocalInError::Pin`] if a pin cannot be removed.
    pub fn detach(&mut self) -> Result<bool, LocalInError> {
        self.attached = None;
        let mut found = false;
        for (_, _, pin) in FAMILIES {
            found |= remove(&self.directory.join(pin))?;
        }
        Ok(found)
    }
}

/// Whether nftables is built into the kernel.
#[must_use]
pub fn has_nftables() -> bool {
    static IS_BUILT_IN: OnceLock<bool> = OnceLock::new();
    *IS_BUILT_IN.get_or_init(|| {
        KernelTypes::read().is_ok_and(|types| types.offset("nft_base_chain", "chain").is_some())
    })
}

/// Whether the programs of an instance, with this directory of links, are in front of the host's own
/// processes.
#[must_use]
pub fn is_attached(directory: &Path) -> bool {
    programs(directory).iter().all(Option::is_some)
}

/// Numbers of the programs that run through the pinned links, by family.
#[must_use]
pub fn programs(directory: &Path) -> [Option<u32>; 2] {
    FAMILIES.map(|(_, _, pin)| links::program_of(&directory.join(pin)))
}

/// Removes a pin; returns whether it was there.
fn remove(pin: &Path) -> Result<bool, LocalInError> {
    match fs::remove_file(pin) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(LocalInError::Pin {
            path: pin.to_path_buf(),
            source,
        }),
    }
}

/// The value to write in place of each mark.
type Facts = FxHashMap<i32, i32>;

fn facts(types: &KernelTypes, spare: u32) -> Result<Facts, LocalInError> {
    let mut facts = Facts::default();
    let mut note = |fact: Fact, value: Option<u32>, name| {
        let value = value.and_then(|value| i32::try_from(value).ok());
        facts.insert(fact.mark(), value.ok_or(LocalInError::Unknown(name))?);
        Ok(())
    };
    let offset = |structure, member| types.offset(structure, member);
    for (fact, structure, member, name) in [
        (Fact::SkbConnection, "sk_buff", "_nfct", "sk_buff._nfct"),
        (Fact::SkbControl, "sk_buff", "cb", "sk_buff.cb"),
        (Fact::SkbLength, "sk_buff", "len", "sk_buff.len"),
        (Fact::StateDevice, "nf_hook_state", "in", "nf_hook_state.in"),
        (
            Fact::DeviceIndex,
            "net_device",
            "ifindex",
            "net_device.ifindex",
        ),
    ] {
        note(fact, offset(structure, member), name)?;
    }
    let function = types.function("bpf_dynptr_from_skb");
    note(Fact::DynptrFromSkb, function, "bpf_dynptr_from_skb")?;
    let tuples = types.offset_of_module(CONNTRACK, "nf_conn", "tuplehash");
    note(Fact::ConnectionTuples, Some(tuples.unwrap_or(0)), "")?;
    note(Fact::SpareGeneration, Some(spare), "generation")?;
    Ok(facts)
}

/// The object, with the kernel's maps in it.
fn linked(kernel: &Kernel) -> Result<Object, LocalInError> {
    let fail = |error: &dyn std::fmt::Display| LocalInError::Object(error.to_string());
    let mut object = Object::parse(embedded::BYTES).map_err(|error| fail(&error))?;
    let declared: Vec<(String, aya_obj::Map)> = object.maps.drain().collect();
    let text = object.functions.keys().map(|(section, _)| *section);
    let text = text.collect();
    let maps = declared.iter().filter_map(|(name, map)| {
        let fd = kernel.map_fd(name)?;
        Some((name.as_str(), fd.as_raw_fd(), map))
    });
    object
        .relocate_maps(maps, &text)
        .map_err(|error| fail(&error))?;
    object.relocate_calls(&text).map_err(|error| fail(&error))?;
    Ok(object)
}

/// Loads one program.
fn load(
    kernel: &Kernel,
    object: &mut Object,
    name: &'static str,
    facts: &Facts,
) -> Result<OwnedFd, LocalInError> {
    let missing = || LocalInError::Object(format!("it has no {name}"));
    let program = object.programs.get(name).ok_or_else(missing)?;
    let (license, key) = (program.license.clone(), program.function_key());
    let function: &mut Function = object.functions.get_mut(&key).ok_or_else(missing)?;
    for instruction in &mut function.instructions {
        complete(instruction, facts);
    }
    let no_types = || LocalInError::Object("it describes no types".to_owned());
    let count = |length: usize| {
        u32::try_from(length).map_err(|error| LocalInError::Object(error.to_string()))
    };
    let loaded = Program {
        name,
        instructions: &function.instructions,
        btf: kernel.btf().ok_or_else(no_types)?,
        functions: &function.func_info.func_info_bytes(),
        function_bytes: count(function.func_info_rec_size)?,
        function_count: count(function.func_info.len())?,
        license: &license,
    };
    loaded
        .load()
        .map_err(|source| LocalInError::Load { name, source })
}

/// Writes the fact in place of an instruction's mark, if it has one.
fn complete(instruction: &mut bpf_insn, facts: &Facts) {
    let Some(value) = facts.get(&instruction.imm) else {
        return;
    };
    match instruction.code {
        CALL if instruction.imm == Fact::DynptrFromSkb.mark() => {
            instruction.set_src_reg(PSEUDO_KFUNC_CALL);
            instruction.imm = *value;
        }
        MOVE => instruction.imm = *value,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_replaced_in_moves_and_calls_alone() {
        let facts: Facts = Fact::ALL.iter().map(|fact| (fact.mark(), 7)).collect();
        let completed = |code, imm| {
            let mut instruction = bpf_insn {
                code,
                _bitfield_align_1: [],
                _bitfield_1: bpf_insn::new_bitfield_1(1, 0),
                off: 0,
                imm,
            };
            complete(&mut instruction, &facts);
            (instruction.imm, instruction.src_reg())
        };
        let (call, offset) = (Fact::DynptrFromSkb.mark(), Fact::SkbLength.mark());
        assert_eq!(completed(CALL, call), (7, PSEUDO_KFUNC_CALL));
        assert_eq!(completed(MOVE, offset), (7, 0));
        assert_eq!(completed(0x07, offset), (offset, 0));
        assert_eq!(completed(MOVE, 1), (1, 0));
    }

    /// Every mark is in the programs of both families, once at least.
    #[test]
    #[cfg(not(hep_without_bpf))]
    fn the_programs_have_every_mark() {
        let object = Object::parse(embedded::BYTES).expect("parses");
        for (_, name, _) in FAMILIES {
            assert!(object.programs.contains_key(name), "{name}");
        }
        let instructions = object.functions.values().flat_map(|it| &it.instructions);
        let numbers: Vec<i32> = instructions.map(|it| it.imm).collect();
        for fact in Fact::ALL {
            assert!(numbers.contains(&fact.mark()), "{fact:?}");
        }
    }
}
