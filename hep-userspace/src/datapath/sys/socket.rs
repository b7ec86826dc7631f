//! Cookies of network namespaces, read from a socket.
#![expect(unsafe_code, reason = "a system call that takes pointers")]

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsRawFd as _,
    ptr,
};

/// Size of a cookie.
const COOKIE_BYTES: libc::socklen_t = 8;

/// The cookie of this thread's network namespace: a number that no other has as long as the host runs.
///
/// # Errors
///
/// The kernel's error; it has cookies since Linux 5.14.
pub(crate) fn namespace_cookie() -> io::Result<u64> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let (mut cookie, mut length) = (0_u64, COOKIE_BYTES);
    // SAFETY: the kernel writes at most `length` bytes at `cookie`, and its length; both live until the
    // call returns.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            ptr::from_mut(&mut cookie).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(cookie)
}
