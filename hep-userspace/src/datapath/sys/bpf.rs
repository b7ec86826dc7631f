//! The parts of the bpf system call that aya does not wrap: arrays of maps made by userspace,
//! emptying their slots, BTF by id, and batch look-ups. With [`super::mmap`], the only unsafe
//! code of the crate.
#![expect(
    unsafe_code,
    reason = "system calls that take pointers, and values that cross the kernel boundary as bytes"
)]

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    ptr,
};

use aya::{Pod, maps::MapData};
use aya_obj::generated::{BPF_NOEXIST, bpf_cmd, bpf_map_type};
use libc::c_long;

/// Most characters of an object's name, without the terminating zero.
pub(crate) const NAME_BYTES: usize = 15;

/// The bytes of `values`.
pub(crate) fn bytes_of<T: Pod>(values: &[T]) -> &[u8] {
    // SAFETY: the slice is live and `size_of_val` bytes long; `u8` has no alignment, and a `Pod`
    // type has no padding, so that every byte is initialised. Nobody can write through a `&[T]`.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The value that `bytes` start with; `None` if they are too few.
pub(crate) fn value_of<T: Pod>(bytes: &[u8]) -> Option<T> {
    // SAFETY: there are at least `size_of::<T>()` initialised bytes, which need not be aligned for
    // `read_unaligned`, and every bit pattern is a value of a `Pod` type.
    (bytes.len() >= size_of::<T>()).then(|| unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) })
}

/// Does one bpf system call.
///
/// # Safety
///
/// `A` must be laid out as the member of `union bpf_attr` that `command` uses, or a prefix of it,
/// and the pointers and lengths in it must be what the kernel expects there.
pub(crate) unsafe fn bpf<A>(command: bpf_cmd, attr: &mut A) -> io::Result<c_long> {
    // SAFETY: the kernel reads and writes at most `size_of::<A>()` bytes at `attr`, which is
    // borrowed exclusively; what it does with the pointers inside is the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as c_long,
            ptr::from_mut(attr),
            size_of::<A>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// Takes ownership of the descriptor that a command returned.
///
/// # Safety
///
/// The kernel has just made `fd` for this process, and no other value owns it.
pub(crate) unsafe fn owned(fd: c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: that is what the caller vouches for.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `BPF_MAP_CREATE`, up to the name.
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: i32,
    numa_node: u32,
    name: [u8; NAME_BYTES + 1],
}

/// Creates an array of `slots` maps whose members must be like `template`.
///
/// # Errors
///
/// The kernel's error: `EPERM` without the privilege, `ENOMEM`.
pub(crate) fn create_array_of_maps(
    name: &str,
    slots: u32,
    template: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    let mut attr = MapCreate {
        map_type: bpf_map_type::BPF_MAP_TYPE_ARRAY_OF_MAPS as u32,
        key_size: 4,
        value_size: 4,
        max_entries: slots,
        map_flags: 0,
        inner_map_fd: template.as_raw_fd(),
        numa_node: 0,
        name: [0; NAME_BYTES + 1],
    };
    for (to, from) in attr.name.iter_mut().zip(name.bytes().take(NAME_BYTES)) {
        *to = from;
    }
    // SAFETY: `MapCreate` is a prefix of the member for BPF_MAP_CREATE and holds no pointers; the
    // command returns a new descriptor.
    unsafe { owned(bpf(bpf_cmd::BPF_MAP_CREATE, &mut attr)?) }
}

/// `BPF_…_GET_FD_BY_ID`, up to the id.
#[repr(C)]
struct ById {
    id: u32,
}

/// Opens the BTF object with this id.
///
/// # Errors
///
/// `ENOENT` if there is none.
pub(crate) fn btf_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attr = ById { id };
    // SAFETY: `ById` is a prefix of the member for BPF_BTF_GET_FD_BY_ID and holds no pointers; the
    // command returns a new descriptor.
    unsafe { owned(bpf(bpf_cmd::BPF_BTF_GET_FD_BY_ID, &mut attr)?) }
}

/// `BPF_MAP_…_ELEM`.
#[repr(C)]
struct Element {
    map_fd: i32,
    reserved: u32,
    key: *const u8,
    value: *const u8,
    flags: u64,
}

/// An array of maps: four-byte index, and the inner map's descriptor as a four-byte value.
#[derive(Clone, Copy)]
pub(crate) struct Slots<'a> {
    fd: BorrowedFd<'a>,
}

impl<'a> Slots<'a> {
    /// Checks that `map` is an array of maps.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not.
    pub(crate) fn of(map: &'a MapData) -> io::Result<Self> {
        let info = map.info().map_err(io::Error::other)?;
        if info.map_type().ok() != Some(aya::maps::MapType::ArrayOfMaps) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not an array of maps",
            ));
        }
        Ok(Self {
            fd: map.fd().as_fd(),
        })
    }

    /// Puts a map into a slot; returns after all programs that may still see the former one ended.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the map is not like the array's template.
    pub(crate) fn set(self, slot: u32, inner: BorrowedFd<'_>) -> io::Result<()> {
        let value = u32::try_from(inner.as_raw_fd()).map_err(io::Error::other)?;
        self.element(bpf_cmd::BPF_MAP_UPDATE_ELEM, slot, Some(&value))
    }

    /// Empties a slot; returns after all programs that may still see its map ended. An empty slot
    /// is fine.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub(crate) fn clear(self, slot: u32) -> io::Result<()> {
        match self.element(bpf_cmd::BPF_MAP_DELETE_ELEM, slot, None) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Runs a command on a slot; only the one that deletes needs no value.
    fn element(self, command: bpf_cmd, slot: u32, value: Option<&u32>) -> io::Result<()> {
        let mut attr = Element {
            map_fd: self.fd.as_raw_fd(),
            reserved: 0,
            key: (&raw const slot).cast(),
            value: value.map_or(ptr::null(), ptr::from_ref).cast(),
            flags: 0,
        };
        // SAFETY: `Element` is the member for these commands. The map's keys and values have four
        // bytes (an array of maps has no others); `slot` and `value` outlive the call, and without
        // a value the kernel refuses a command that reads one.
        unsafe { bpf(command, &mut attr) }.map(|_zero| ())
    }
}

/// Position at which a walk over a hash map continues; the start by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor(Option<u32>);

/// Some entries of a hash map.
pub(crate) struct Batch<K, V> {
    /// Keys.
    pub(crate) keys: Vec<K>,
    /// Values, in the order of `keys`.
    pub(crate) values: Vec<V>,
    /// The walk is over.
    pub(crate) end: bool,
}

/// `BPF_MAP_…_BATCH`.
#[repr(C)]
struct BatchAttr {
    in_batch: *const u32,
    out_batch: *mut u32,
    keys: *mut u8,
    values: *mut u8,
    count: u32,
    map_fd: i32,
    elem_flags: u64,
    flags: u64,
}

/// A hash map (ordinary or LRU, not per CPU) with keys `K` and values `V`.
pub(crate) struct Hash<'a, K, V> {
    fd: BorrowedFd<'a>,
    types: PhantomData<(K, V)>,
}

impl<'a, K: Pod, V: Pod> Hash<'a, K, V> {
    /// Checks that `map` is such a map.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not.
    pub(crate) fn of(map: &'a MapData) -> io::Result<Self> {
        let info = map.info().map_err(io::Error::other)?;
        let is_hash = matches!(
            info.map_type(),
            Ok(aya::maps::MapType::Hash | aya::maps::MapType::LruHash)
        );
        let sizes = [info.key_size() as usize, info.value_size() as usize];
        if !is_hash || sizes != [size_of::<K>(), size_of::<V>()] {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a hash map of this layout",
            ));
        }
        Ok(Self {
            fd: map.fd().as_fd(),
            types: PhantomData,
        })
    }

    /// Copies about `limit` entries out and moves the cursor past them.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub(crate) fn lookup(&self, cursor: &mut Cursor, limit: u32) -> io::Result<Batch<K, V>> {
        self.walk(bpf_cmd::BPF_MAP_LOOKUP_BATCH, cursor, limit)
    }

    /// Number of entries; reads all of them, about `limit` at a time.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub(crate) fn count(&self, limit: u32) -> io::Result<usize> {
        let mut cursor = Cursor::default();
        let mut entries = 0;
        loop {
            let batch = self.lookup(&mut cursor, limit)?;
            entries += batch.keys.len();
            if batch.end {
                return Ok(entries);
            }
        }
    }

    /// Copies about `limit` entries out, removes them, and moves the cursor past them.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub(crate) fn take(&self, cursor: &mut Cursor, limit: u32) -> io::Result<Batch<K, V>> {
        self.walk(bpf_cmd::BPF_MAP_LOOKUP_AND_DELETE_BATCH, cursor, limit)
    }

    fn walk(&self, command: bpf_cmd, cursor: &mut Cursor, limit: u32) -> io::Result<Batch<K, V>> {
        let mut limit = limit.max(1);
        loop {
            let mut keys = Vec::<K>::with_capacity(limit as usize);
            let mut values = Vec::<V>::with_capacity(limit as usize);
            let mut next = 0;
            let mut attr = BatchAttr {
                in_batch: cursor.0.as_ref().map_or(ptr::null(), ptr::from_ref),
                out_batch: &raw mut next,
                keys: keys.as_mut_ptr().cast(),
                values: values.as_mut_ptr().cast(),
                count: limit,
                map_fd: self.fd.as_raw_fd(),
                elem_flags: 0,
                flags: 0,
            };
            // SAFETY: `BatchAttr` is the member for these commands. A hash map's batch token has
            // four bytes; both buffers hold `limit` elements of exactly the map's sizes, which
            // `of` has checked.
            let end = match unsafe { bpf(command, &mut attr) } {
                Ok(_zero) => false,
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENOENT) => true,
                    // One bucket holds more than that: the kernel hands out whole buckets.
                    Some(libc::ENOSPC) if attr.count == 0 => {
                        limit = limit.saturating_mul(2);
                        continue;
                    }
                    _ => return Err(error),
                },
            };
            let count = attr.count.min(limit) as usize;
            // SAFETY: the kernel reports how many elements it has written to each buffer, which is
            // at most their capacity, and every bit pattern is a value of a `Pod` type.
            unsafe {
                keys.set_len(count);
                values.set_len(count);
            }
            cursor.0 = Some(next);
            return Ok(Batch { keys, values, end });
        }
    }

    /// Writes entries; one that has the key already is replaced.
    ///
    /// # Errors
    ///
    /// `E2BIG` if the map is full; some entries may have been written.
    pub(crate) fn update(&self, keys: &[K], values: &[V]) -> io::Result<()> {
        assert_eq!(keys.len(), values.len(), "one value for each key");
        if keys.is_empty() {
            return Ok(());
        }
        let mut attr = BatchAttr {
            in_batch: ptr::null(),
            out_batch: ptr::null_mut(),
            keys: keys.as_ptr().cast_mut().cast(),
            values: values.as_ptr().cast_mut().cast(),
            count: u32::try_from(keys.len()).map_err(io::Error::other)?,
            map_fd: self.fd.as_raw_fd(),
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: `BatchAttr` is the member for this command, which only reads the buffers; they
        // hold `count` elements of exactly the map's sizes, which `of` has checked.
        unsafe { bpf(bpf_cmd::BPF_MAP_UPDATE_BATCH, &mut attr) }.map(|_zero| ())
    }

    /// Writes an entry unless its key is there already.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub(crate) fn insert_missing(&self, key: &K, value: &V) -> io::Result<()> {
        let mut attr = Element {
            map_fd: self.fd.as_raw_fd(),
            reserved: 0,
            key: ptr::from_ref(key).cast(),
            value: ptr::from_ref(value).cast(),
            flags: u64::from(BPF_NOEXIST),
        };
        // SAFETY: `Element` is the member for this command, which only reads key and value; they
        // have exactly the map's sizes, which `of` has checked, and outlive the call.
        match unsafe { bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr) } {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result.map(|_zero| ()),
        }
    }
}
