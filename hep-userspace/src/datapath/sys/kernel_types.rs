//! The running kernel's own types, from its BTF: offsets of members of structures, and numbers of functions.
//!
//! <https://docs.kernel.org/bpf/btf.html>, section 2: a header, types of different length one after the
//! other, numbered from 1, and strings. A module's BTF continues where the kernel's ends.

use std::{fs, io, path::Path};

/// The directory in which the kernel and its modules describe their types.
const DIRECTORY: &str = "/sys/kernel/btf";
/// The kernel's own.
const KERNEL: &str = "vmlinux";
/// The first two bytes of a description.
const MAGIC: u32 = 0xeb9f;

/// Kinds of types.
mod kind {
    pub(crate) const INT: u32 = 1;
    pub(crate) const ARRAY: u32 = 3;
    pub(crate) const STRUCT: u32 = 4;
    pub(crate) const UNION: u32 = 5;
    pub(crate) const ENUM: u32 = 6;
    pub(crate) const FUNC: u32 = 12;
    pub(crate) const FUNC_PROTO: u32 = 13;
    pub(crate) const VAR: u32 = 14;
    pub(crate) const DATASEC: u32 = 15;
    pub(crate) const DECL_TAG: u32 = 17;
    pub(crate) const ENUM64: u32 = 19;
}

/// The words in front of every type: its name, its kind and number of members, its size or another type.
const HEAD_BYTES: usize = 12;
/// Each member of a structure: its name, its type, its place.
const MEMBER_BYTES: usize = 12;

/// A description as it is in its file.
#[derive(Debug)]
struct Description {
    bytes: Vec<u8>,
    types: (usize, usize),
    strings: (usize, usize),
}

impl Description {
    fn read(name: &str) -> io::Result<Self> {
        let bytes = fs::read(Path::new(DIRECTORY).join(name))?;
        Self::of(bytes).ok_or_else(|| io::Error::other(format!("{DIRECTORY}/{name} is no BTF")))
    }

    fn of(bytes: Vec<u8>) -> Option<Self> {
        if word(&bytes, 0)? & 0xffff != MAGIC {
            return None;
        }
        let header = size(&bytes, 4)?;
        let part = |offset, length| {
            let start = header.checked_add(size(&bytes, offset)?)?;
            let end = start.checked_add(size(&bytes, length)?)?;
            (end <= bytes.len()).then_some((start, end))
        };
        let types = part(8, 12)?;
        let strings = part(16, 20)?;
        Some(Self {
            bytes,
            types,
            strings,
        })
    }

    fn types(&self) -> &[u8] {
        &self.bytes[self.types.0..self.types.1]
    }

    fn strings(&self) -> &[u8] {
        &self.bytes[self.strings.0..self.strings.1]
    }

    /// Calls `visit` with each type's number, counted from 1, and its words, until that returns something.
    fn find<T>(&self, mut visit: impl FnMut(u32, &[u8]) -> Option<T>) -> Option<T> {
        let types = self.types();
        let (mut at, mut number) = (0, 1);
        while at < types.len() {
            let length = HEAD_BYTES + rest_bytes(word(types, at + 4)?)?;
            let words = types.get(at..at + length)?;
            if let Some(found) = visit(number, words) {
                return Some(found);
            }
            at += length;
            number += 1;
        }
        None
    }
}

/// Bytes behind the head of a type with this second word.
fn rest_bytes(info: u32) -> Option<usize> {
    let members = usize::try_from(info & 0xffff).ok()?;
    Some(match kind_of(info) {
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => members * MEMBER_BYTES,
        kind::ENUM | kind::FUNC_PROTO => members * 8,
        _ => 0,
    })
}

const fn kind_of(info: u32) -> u32 {
    info >> 24 & 0x1f
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

fn size(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(word(bytes, at)?).ok()
}

/// The types of the kernel.
#[derive(Debug)]
pub(crate) struct KernelTypes {
    kernel: Description,
}

impl KernelTypes {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// `NotFound` if the kernel has no description of its types; else the file system's error.
    pub(crate) fn read() -> io::Result<Self> {
        Ok(Self {
            kernel: Description::read(KERNEL)?,
        })
    }

    /// Offset of a structure's member, bytes; members of anonymous structures within it are not found.
    pub(crate) fn offset(&self, structure: &str, member: &str) -> Option<u32> {
        self.offset_in(&self.kernel, structure, member)
    }

    /// Offset of a structure's member, bytes; the kernel or `module` declares the structure.
    pub(crate) fn offset_of_module(
        &self,
        module: &str,
        structure: &str,
        member: &str,
    ) -> Option<u32> {
        self.offset(structure, member).or_else(|| {
            let module = Description::read(module).ok()?;
            self.offset_in(&module, structure, member)
        })
    }

    /// The number of one of the kernel's functions.
    pub(crate) fn function(&self, name: &str) -> Option<u32> {
        self.kernel.find(|number, words| {
            let is_it = kind_of(word(words, 4)?) == kind::FUNC
                && self.name(&self.kernel, words, 0)? == name.as_bytes();
            is_it.then_some(number)
        })
    }

    fn offset_in(&self, description: &Description, structure: &str, member: &str) -> Option<u32> {
        description.find(|_number, words| {
            let info = word(words, 4)?;
            if kind_of(info) != kind::STRUCT
                || self.name(description, words, 0)? != structure.as_bytes()
            {
                return None;
            }
            let mut members = (HEAD_BYTES..words.len()).step_by(MEMBER_BYTES);
            let at =
                members.find(|at| self.name(description, words, *at) == Some(member.as_bytes()))?;
            let bits = word(words, at + 8)?;
            // With the highest bit set, the upper byte is the width of a bit field.
            let bits = if info >> 31 == 0 {
                bits
            } else {
                bits & 0xff_ffff
            };
            Some(bits / 8)
        })
    }

    /// The string whose place is in the word at `at`.
    fn name<'a>(&'a self, of: &'a Description, words: &[u8], at: usize) -> Option<&'a [u8]> {
        let place = size(words, at)?;
        let kernels = self.kernel.strings();
        // A module's strings follow the kernel's.
        let rest = match place.checked_sub(kernels.len()) {
            Some(place) => of.strings().get(place..)?,
            None => kernels.get(place..)?,
        };
        rest.split(|byte| *byte == 0).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A description of `struct ab { u8 a; u16 b; }` and of a function without parameters.
    fn description() -> Vec<u8> {
        let strings = b"\0ab\0a\0b\0go\0";
        let types: [u32; 17] = [
            // 1: struct ab
            1,
            kind::STRUCT << 24 | 2,
            4,
            4,
            0,
            0,
            6,
            0,
            16,
            // 2: its prototype
            0,
            kind::FUNC_PROTO << 24,
            0,
            // 3: go
            8,
            kind::FUNC << 24,
            2,
            // 4: something of another length
            0,
            kind::INT << 24,
        ];
        let types: Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
        let types = [types, vec![0; 8]].concat();
        let header = [
            MAGIC | 1 << 16,
            24,
            0,
            u32::try_from(types.len()).expect("short"),
            u32::try_from(types.len()).expect("short"),
            u32::try_from(strings.len()).expect("short"),
        ];
        let header = header.iter().flat_map(|word| word.to_le_bytes());
        header.chain(types).chain(strings.iter().copied()).collect()
    }

    #[test]
    fn members_and_functions_are_found_by_name() {
        let kernel = Description::of(description()).expect("is one");
        let types = KernelTypes { kernel };
        assert_eq!(types.offset("ab", "a"), Some(0));
        assert_eq!(types.offset("ab", "b"), Some(2));
        assert_eq!(types.offset("ab", "c"), None);
        assert_eq!(types.offset("go", "a"), None);
        assert_eq!(types.function("go"), Some(3));
        assert_eq!(types.function("ab"), None);
    }

    #[test]
    fn what_is_cut_off_or_no_description_is_refused() {
        assert!(Description::of(Vec::new()).is_none());
        assert!(Description::of(vec![0; 64]).is_none());
        let whole = description();
        assert!(Description::of(whole[..whole.len() - 1].to_vec()).is_none());
    }
}
