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

/// Size of one element of an array map with values of `value_bytes`.
pub(super) const fn stride(value_bytes: usize) -> usize {
    value_bytes.next_multiple_of(8)
}

/// The values of an array map, mapped into this process.
pub(super) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    /// Bytes of one value, without the padding to the next.
    value_bytes: usize,
}

impl Mapping {
    /// Maps a whole array for reading.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the map is no mappable array.
    pub(super) fn read_only(map: &MapData) -> io::Result<Self> {
        Self::new(map, ProtFlags::READ, None)
    }

    /// Maps a whole array for reading and writing.
    ///
    /// # Errors
    ///
    /// As [`Self::read_only`]; `EPERM` if the map is frozen.
    pub(super) fn writable(map: &MapData) -> io::Result<Self> {
        Self::new(map, ProtFlags::READ | ProtFlags::WRITE, None)
    }

    /// Maps some bytes of an array for reading and writing; they start with a page.
    ///
    /// # Errors
    ///
    /// As [`Self::writable`]; `EINVAL` if the array is shorter.
    pub(super) fn part(map: &MapData, start: usize, bytes: usize) -> io::Result<Self> {
        Self::new(
            map,
            ProtFlags::READ | ProtFlags::WRITE,
            Some((start, bytes)),
        )
    }

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
        let fd: BorrowedFd<'_> = map.fd().as_fd();
        // SAFETY: a new mapping, at an address of the kernel's choice, replaces no other; the
        // kernel refuses one that is larger than the array.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                bytes,
                access,
                MapFlags::SHARED,
                fd,
                first as u64,
            )
        }?;
        let start = NonNull::new(start.cast())
            .ok_or_else(|| io::Error::other("the array was mapped at address 0"))?;
        Ok(Self {
            start,
            bytes,
            value_bytes,
        })
    }

    /// The array as it is, padding between values included.
    pub(super) fn as_bytes(&self) -> &[u8] {
        // SAFETY: the mapping is live, readable and `bytes` long. Programs only read these arrays;
        // userspace writes one through the `&mut` of `as_bytes_mut`, before any slot names it, and
        // by `rewrite`, for which the caller borrows no other mapping of the array.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_bytes`; the array was mapped for writing, by the process that has just
        // created it and has shown it to nobody else, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }

    /// Whether the array holds `values`, its values one after the other, and nothing else.
    pub(super) fn holds(&self, values: &[u8]) -> bool {
        let stride = stride(self.value_bytes);
        if stride == self.value_bytes {
            return self.as_bytes() == values;
        }
        values.len() / self.value_bytes == self.bytes / stride
            && self
                .as_bytes()
                .chunks_exact(stride)
                .zip(values.chunks_exact(self.value_bytes))
                .all(|(slot, value)| slot.starts_with(value))
    }

    /// Creates the content of an array that nobody else has seen yet.
    pub(super) fn fill(&mut self, values: &[u8]) {
        let value_bytes = self.value_bytes;
        let stride = stride(value_bytes);
        if stride == value_bytes {
            let length = values.len().min(self.bytes);
            self.as_bytes_mut()[..length].copy_from_slice(&values[..length]);
            return;
        }
        let slots = self.as_bytes_mut().chunks_exact_mut(stride);
        for (slot, value) in slots.zip(values.chunks_exact(value_bytes)) {
            slot[..value_bytes].copy_from_slice(value);
        }
    }

    /// As [`Self::fill`], with what another array of as large values holds.
    pub(super) fn copy(&mut self, other: &Self) {
        let length = self.bytes.min(other.bytes);
        self.as_bytes_mut()[..length].copy_from_slice(&other.as_bytes()[..length]);
    }

    /// Writes the values that differ from those there, one eight-byte word after the other, and
    /// zeros behind them; returns how many values differed. Whoever reads the array meanwhile must
    /// not look at those.
    pub(super) fn rewrite(&self, values: &[u8]) -> usize {
        let words_per_value = stride(self.value_bytes) / WORD_BYTES;
        let all_words = self.bytes / WORD_BYTES;
        let value_count = values.len() / self.value_bytes;
        let mut changed = 0;
        for (number, value) in values.chunks_exact(self.value_bytes).enumerate() {
            let mut is_changed = false;
            for (offset, bytes) in value.chunks(WORD_BYTES).enumerate() {
                let mut word = [0; WORD_BYTES];
                word[..bytes.len()].copy_from_slice(bytes);
                is_changed |=
                    self.replace(number * words_per_value + offset, u64::from_ne_bytes(word));
            }
            changed += usize::from(is_changed);
        }
        for word in value_count * words_per_value..all_words {
            self.replace(word, 0);
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
        assert!(
            (number + 1) * WORD_BYTES <= self.bytes,
            "the word is in the mapping"
        );
        // SAFETY: the word lies in the mapping, which lives as long as `self` does and starts with a
        // page, so the word is aligned. Whoever else accesses it does so with aligned loads.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().cast::<u64>().add(number)) }
    }

    /// Replaces the first eight bytes in one step, which no program can see half done.
    pub(super) fn store_first(&self, word: u64) {
        self.word(0).store(word, Ordering::Release);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `bytes` are those of a mapping that this value owns, and no borrow of
        // it is left. Unmapping memory that is mapped cannot fail.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "the mapping was live");
    }
}
