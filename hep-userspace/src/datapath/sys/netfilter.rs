//! Netfilter programs and their links, which aya lacks: loading, attaching and pinning by the bpf system
//! call.
#![expect(unsafe_code, reason = "system calls that take pointers")]

use std::{
    ffi::{CString, c_char},
    io,
    os::{
        fd::{AsRawFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    ptr,
};

use aya_obj::generated::{bpf_attach_type, bpf_cmd, bpf_insn, bpf_prog_type};

use super::bpf::{NAME_BYTES, bpf, owned};

/// Most bytes of the verifier's log about a program that it refuses.
const LOG_BYTES: usize = 1 << 20;
/// Most lines of that in an error.
const LOG_LINES: usize = 6;
/// `NF_INET_LOCAL_IN` of `linux/netfilter.h`.
const LOCAL_IN: u32 = 1;

/// A program to load.
pub(crate) struct Program<'a> {
    /// Its name, of which the kernel keeps the first 15 bytes.
    pub(crate) name: &'a str,
    pub(crate) instructions: &'a [bpf_insn],
    /// The types of its functions.
    pub(crate) btf: BorrowedFd<'a>,
    /// Which instruction each of its functions begins with, and its type: records of `bpf_func_info`.
    pub(crate) functions: &'a [u8],
    /// Length of a record.
    pub(crate) function_bytes: u32,
    /// Their number.
    pub(crate) function_count: u32,
    pub(crate) license: &'a CString,
}

/// `BPF_PROG_LOAD`, up to the functions.
#[repr(C)]
struct ProgramLoad {
    program_type: u32,
    instruction_count: u32,
    instructions: *const bpf_insn,
    license: *const c_char,
    log_level: u32,
    log_bytes: u32,
    log: *mut u8,
    kernel_version: u32,
    flags: u32,
    name: [u8; NAME_BYTES + 1],
    ifindex: u32,
    expected_attach_type: u32,
    btf_fd: i32,
    function_bytes: u32,
    functions: *const u8,
    function_count: u32,
    reserved: u32,
}

impl Program<'_> {
    /// Loads it as a netfilter program.
    ///
    /// # Errors
    ///
    /// The kernel's error, with the end of the verifier's log.
    pub(crate) fn load(&self) -> io::Result<OwnedFd> {
        self.try_load(&mut []).map_err(|error| {
            let mut log = vec![0; LOG_BYTES];
            // It fails again, this time with the verifier's log.
            if self.try_load(&mut log).is_ok() || log[0] == 0 {
                return error;
            }
            let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
            let text = String::from_utf8_lossy(text);
            let lines: Vec<&str> = text.lines().collect();
            let end = lines.len().saturating_sub(LOG_LINES);
            let said = lines[end..].join("; ");
            io::Error::new(error.kind(), format!("{error}: {said}"))
        })
    }

    fn try_load(&self, log: &mut [u8]) -> io::Result<OwnedFd> {
        let mut attr = ProgramLoad {
            program_type: bpf_prog_type::BPF_PROG_TYPE_NETFILTER as u32,
            instruction_count: count(self.instructions.len())?,
            instructions: self.instructions.as_ptr(),
            license: self.license.as_ptr(),
            log_level: u32::from(!log.is_empty()),
            log_bytes: count(log.len())?,
            log: if log.is_empty() {
                ptr::null_mut()
            } else {
                log.as_mut_ptr()
            },
            kernel_version: 0,
            flags: 0,
            name: [0; NAME_BYTES + 1],
            ifindex: 0,
            expected_attach_type: bpf_attach_type::BPF_NETFILTER as u32,
            btf_fd: self.btf.as_raw_fd(),
            function_bytes: self.function_bytes,
            functions: self.functions.as_ptr(),
            function_count: self.function_count,
            reserved: 0,
        };
        for (to, from) in attr.name.iter_mut().zip(self.name.bytes().take(NAME_BYTES)) {
            *to = from;
        }
        // SAFETY: `ProgramLoad` is a prefix of the member for BPF_PROG_LOAD. Its pointers are to what this
        // call borrows, and as long as the numbers beside them say; the kernel writes the log alone. The
        // command returns a new descriptor.
        unsafe { owned(bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr)?) }
    }
}

/// `BPF_LINK_CREATE` of a netfilter program.
#[repr(C)]
struct LinkCreate {
    program_fd: i32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    family: u32,
    hook: u32,
    priority: i32,
    netfilter_flags: u32,
}

/// Attaches a netfilter program where packets reach this host, in the network namespace of the calling
/// thread; `family` is `PF_INET` or `PF_INET6`.
///
/// # Errors
///
/// `EBUSY` if something has the priority; else the kernel's error.
pub(crate) fn attach_local_in(
    program: BorrowedFd<'_>,
    family: i32,
    priority: i32,
) -> io::Result<OwnedFd> {
    let mut attr = LinkCreate {
        program_fd: program.as_raw_fd(),
        target_fd: 0,
        attach_type: bpf_attach_type::BPF_NETFILTER as u32,
        flags: 0,
        family: u32::try_from(family).map_err(io::Error::other)?,
        hook: LOCAL_IN,
        priority,
        netfilter_flags: 0,
    };
    // SAFETY: `LinkCreate` is a prefix of the member for BPF_LINK_CREATE and holds no pointers; the
    // command returns a new descriptor.
    unsafe { owned(bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr)?) }
}

/// `BPF_OBJ_PIN`.
#[repr(C)]
struct Pin {
    path: *const c_char,
    fd: i32,
    flags: u32,
}

/// Pins a link.
///
/// # Errors
///
/// The kernel's error: `EEXIST` if there is something at `path`.
pub(crate) fn pin(link: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Pin {
        path: path.as_ptr(),
        fd: link.as_raw_fd(),
        flags: 0,
    };
    // SAFETY: `Pin` is a prefix of the member for BPF_OBJ_PIN; the path ends with a zero and outlives the
    // call.
    unsafe { bpf(bpf_cmd::BPF_OBJ_PIN, &mut attr) }.map(|_zero| ())
}

fn count(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(io::Error::other)
}
