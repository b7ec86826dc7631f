//! Array maps as memory.
#![expect(unsafe_code, reason = "memory shared with the kernel")]

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::MapData;
use aya_obj::generated::BPF_F_MMAPABLE;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes that a program reads in one step.
const WORD_BYTES: usize = size_of::<u64>();

/// Bytes of the largest pages of any architecture.
const MAX_PAGE_BYTES: usize = 1 << 16;

/// Size of one element of an array map with values of `value_bytes`.
pub(crate) const fn stride(value_bytes: usize) -> usize {
    value_bytes.next_multiple_of(8)
}

/// The values of an array map, mapped into this process to be read, while others may write them.
pub(crate) struct View(Memory);

/// The values of an array map, mapped into this process to be written.
pub(crate) struct Mapping(Memory);

/// Memory that the kernel, its programs and other processes may access at any time: no reference to
/// it is ever made, and it is read and written by words.
struct Memory {
    start: NonNull<u8>,
    /// Bytes mapped before those asked for, so that the mapping starts with a page.
    lead: usize,
    bytes: usize,
    /// Bytes of one value, without the padding to the next.
    value_bytes: usize,
}

impl View {
    /// Maps a whole array.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the map is no mappable array.
    pub(crate) fn whole(map: &MapData) -> io::Result<Self> {
        Memory::new(map, ProtFlags::READ, None).map(Self)
    }

    /// Maps some bytes of an array; they start with a value.
    ///
    /// # Errors
    ///
    /// Those of [`Self::whole`], and `EINVAL` if the array is shorter.
    pub(crate) fn part(map: &MapData, start: usize, bytes: usize) -> io::Result<Self> {
        Memory::new(map, ProtFlags::READ, Some((start, bytes))).map(Self)
    }

    /// A copy of the array, padding between values included. What others write meanwhile may be in
    /// some of its words and not in others.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.bytes);
        for number in 0..self.0.words() {
            bytes.extend_from_slice(&self.0.read(number).to_ne_bytes());
        }
        bytes
    }

    /// Whether the array holds `values`, its values one after the other, and nothing else.
    pub(crate) fn holds(&self, values: &[u8]) -> bool {
        let words_per_value = self.0.words_per_value();
        values.len() / self.0.value_bytes == self.0.words() / words_per_value
            && self
                .0
                .places(values)
                .all(|(number, word, mask)| self.0.read(number) & mask == word)
    }
}

impl Mapping {
    /// Maps a whole array.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the map is no mappable array, `EPERM` if it is frozen.
    pub(crate) fn whole(map: &MapData) -> io::Result<Self> {
        Memory::new(map, ProtFlags::READ | ProtFlags::WRITE, None).map(Self)
    }

    /// Maps some bytes of an array; they start with a value.
    ///
    /// # Errors
    ///
    /// Those of [`Self::whole`], and `EINVAL` if the array is shorter.
    pub(crate) fn part(map: &MapData, start: usize, bytes: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        Memory::new(map, access, Some((start, bytes))).map(Self)
    }

    /// Creates the content of an array that nobody else has seen yet.
    pub(crate) fn fill(&mut self, values: &[u8]) {
        for (number, word, _) in self.0.places(values) {
            self.word(number).store(word, Ordering::Relaxed);
        }
    }

    /// Copies another array with values of the same size, where it differs.
    pub(crate) fn copy(&self, other: &View) {
        for number in 0..self.0.words().min(other.0.words()) {
            self.replace(number, other.0.read(number));
        }
    }

    /// Writes the values that differ from those there, one eight-byte word after the other, and zeros behind
    /// them; returns how many values differed. Concurrent readers of the array must not read those.
    pub(crate) fn rewrite(&self, values: &[u8]) -> usize {
        let words_per_value = self.0.words_per_value();
        let value_count = values.len() / self.0.value_bytes;
        let (mut changed, mut last) = (0, None);
        for (number, word, _) in self.0.places(values) {
            let value = Some(number / words_per_value);
            if self.replace(number, word) && value != last {
                changed += 1;
                last = value;
            }
        }
        for number in value_count * words_per_value..self.0.words() {
            self.replace(number, 0);
        }
        changed
    }

    /// Writes a word unless it is there already; returns whether it was not.
    fn replace(&self, number: usize, word: u64) -> bool {
        let place = self.word(number);
        let is_new = place.load(Ordering::Relaxed) != word;
        if is_new {
            place.store(word, Ordering::Relaxed);
        }
        is_new
    }

    /// One of the eight-byte words.
    fn word(&self, number: usize) -> &AtomicU64 {
        // SAFETY: the word lies in the mapping, is aligned (see `place`) and writable, and the mapping
        // lives as long as `self` does. Whoever else accesses it does so with aligned accesses.
        unsafe { AtomicU64::from_ptr(self.0.place(number)) }
    }

    /// The four bytes at a place, a multiple of eight, as a number.
    pub(crate) fn half_word(&self, start: usize) -> u32 {
        let word = self.word(start / WORD_BYTES).load(Ordering::Relaxed);
        let [a, b, c, d, ..] = word.to_ne_bytes();
        u32::from_ne_bytes([a, b, c, d])
    }

    /// Replaces the value at a place, a multiple of eight: its first word, by which programs identify it, is
    /// zero until the others are there.
    pub(crate) fn replace_value(&self, start: usize, value: &[u8]) {
        let first = start / WORD_BYTES;
        self.word(first).store(0, Ordering::Release);
        // The first word comes last.
        for (number, word, _) in self.0.places(value).collect::<Vec<_>>().into_iter().rev() {
            self.word(first + number).store(word, Ordering::Release);
        }
    }

    /// Replaces the first eight bytes in one step, which no program can see half done.
    pub(crate) fn store_first(&self, word: u64) {
        self.word(0).store(word, Ordering::Release);
    }
}

impl Memory {
    fn new(map: &MapData, access: ProtFlags, part: Option<(usize, usize)>) -> io::Result<Self> {
        let info = map.info().map_err(io::Error::other)?;
        if info.map_type().ok() != Some(aya::maps::MapType::Array)
            || info.map_flags() & BPF_F_MMAPABLE == 0
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a mappable array",
            ));
        }
        let value_bytes = info.value_size() as usize;
        let whole = (0, stride(value_bytes) * info.max_entries() as usize);
        let (first, bytes) = part.unwrap_or(whole);
        let lead = first % MAX_PAGE_BYTES;
        let fd: BorrowedFd<'_> = map.fd().as_fd();
        // SAFETY: a new mapping, at an address of the kernel's choice, replaces no other; the
        // kernel refuses one that is larger than the array.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                lead + bytes,
                access,
                MapFlags::SHARED,
                fd,
                (first - lead) as u64,
            )
        }?;
        let start = NonNull::new(start.cast())
            .ok_or_else(|| io::Error::other("the array was mapped at address 0"))?;
        Ok(Self {
            start,
            lead,
            bytes,
            value_bytes,
        })
    }

    const fn words(&self) -> usize {
        self.bytes / WORD_BYTES
    }

    const fn words_per_value(&self) -> usize {
        stride(self.value_bytes) / WORD_BYTES
    }

    /// Pointer to a word: aligned, since a mapping starts with a page, and parts of it with a value.
    fn place(&self, number: usize) -> *mut u64 {
        assert!(number < self.words(), "the word is in the mapping");
        // SAFETY: what is added stays in the mapping.
        unsafe { self.start.as_ptr().add(self.lead).cast::<u64>().add(number) }
    }

    /// A word as it is now.
    fn read(&self, number: usize) -> u64 {
        // SAFETY: the word lies in the mapping, which is readable and live; it is read once, whoever
        // writes it meanwhile.
        unsafe { ptr::read_volatile(self.place(number)) }
    }

    /// The words of consecutive values, with their numbers in the mapping and masks of the bits that are a
    /// value's.
    fn places<'v>(&self, values: &'v [u8]) -> impl Iterator<Item = (usize, u64, u64)> + use<'v> {
        let words_per_value = self.words_per_value();
        let values = values.chunks_exact(self.value_bytes).enumerate();
        values.flat_map(move |(value, bytes)| {
            let words = bytes.chunks(WORD_BYTES).enumerate();
            words.map(move |(offset, bytes)| {
                let [mut word, mut mask] = [[0; WORD_BYTES]; 2];
                word[..bytes.len()].copy_from_slice(bytes);
                mask[..bytes.len()].fill(u8::MAX);
                let number = value * words_per_value + offset;
                (number, u64::from_ne_bytes(word), u64::from_ne_bytes(mask))
            })
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `start`, `lead` and `bytes` are those of a mapping that this value owns, and no borrow of
        // it is left. Unmapping memory that is mapped cannot fail.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.lead + self.bytes) };
        debug_assert!(unmapped.is_ok(), "the mapping was live");
    }
}
