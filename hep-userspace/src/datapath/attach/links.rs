//! TCX links: one per interface and program, pinned so that they outlive the daemon.

use std::{
    fs, io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use aya::programs::{
    LinkOrder, MultiProgLink, ProgramError, SchedClassifier,
    links::{FdLink, LinkError, PinnedLink},
    tc::{SchedClassifierLink, TcAttachOptions},
};

use super::{
    error::AttachError,
    target::{Outcome, Target, attach_type},
};
use crate::datapath::object::program::Program;

/// Puts `program` on the interface: through the link pinned at `pin` if it is alive, so that no
/// packet passes in between, else through a new link in front of other programs. `None` if this kernel
/// has no TCX.
pub(crate) fn attach(
    program: &mut SchedClassifier,
    which: Program,
    target: &Target,
    pin: &Path,
) -> Result<Option<Outcome>, AttachError> {
    let fail = |source| refused(which, target, source);
    let mut is_on_record = pin.exists();
    if let Some(link) = adopt(target.ifindex, pin)? {
        if let Some(outcome) = replace(program, which, target, link, pin)? {
            return Ok(Some(outcome));
        }
        // The number belongs to an interface of another network namespace.
        remove_pin(pin)?;
        is_on_record = false;
    }
    let order = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = match program.attach_with_options(&target.name, attach_type(which), order) {
        Ok(id) => id,
        Err(error) => {
            return match errno(&error) {
                Some(libc::EINVAL) => Ok(None),
                Some(libc::ENODEV) => Err(AttachError::Gone(target.name.to_string())),
                _ => Err(fail(error)),
            };
        }
    };
    let link = program.take_link(id).map_err(fail)?;
    // The name may have moved to another interface since it was read.
    if interface_of(&link, pin)? != target.ifindex {
        return Err(AttachError::Gone(target.name.to_string()));
    }
    FdLink::try_from(link)
        .map_err(|source| link_error(pin, source))?
        .pin(pin)
        .map_err(|source| AttachError::Pin {
            path: pin.to_path_buf(),
            source: Box::new(source),
        })?;
    Ok(Some(if is_on_record {
        Outcome::Restored
    } else {
        Outcome::Attached
    }))
}

/// Has the link that is pinned at `pin` run `program`; `None` if the link is not on this interface.
fn replace(
    program: &mut SchedClassifier,
    which: Program,
    target: &Target,
    link: SchedClassifierLink,
    pin: &Path,
) -> Result<Option<Outcome>, AttachError> {
    let fail = |source| refused(which, target, source);
    let current = program.info().map_err(fail)?.id();
    let fd_link = <&FdLink>::try_from(&link).map_err(|source| link_error(pin, source))?;
    let running = fd_link.info().map_err(|source| link_error(pin, source))?;
    let programs = SchedClassifier::query_tcx(&target.name, attach_type(which));
    let (_, programs) = match programs {
        Err(error) if errno(&error) == Some(libc::ENODEV) => {
            return Err(AttachError::Gone(target.name.to_string()));
        }
        programs => programs.map_err(fail)?,
    };
    let mut programs = programs.iter();
    if !programs.any(|info| info.id() == running.program_id()) {
        return Ok(None);
    }
    if running.program_id() == current {
        return Ok(Some(Outcome::Already));
    }
    let id = program.attach_to_link(link).map_err(fail)?;
    // The pin holds the link; dropping this descriptor leaves it attached.
    drop(program.take_link(id).map_err(fail)?);
    Ok(Some(Outcome::Attached))
}

fn refused(which: Program, target: &Target, source: ProgramError) -> AttachError {
    AttachError::Program {
        program: which.name(),
        interface: target.name.to_string(),
        ifindex: target.ifindex,
        source: Box::new(source),
    }
}

/// Whether the link pinned at `pin` is on the interface.
pub(crate) fn is_on(pin: &Path, ifindex: u32) -> bool {
    let Ok(pinned) = PinnedLink::from_pin(pin) else {
        return false;
    };
    SchedClassifierLink::try_from(FdLink::from(pinned))
        .is_ok_and(|link| interface_of(&link, pin).is_ok_and(|found| found == ifindex))
}

/// Removes the pin, and with it the link.
pub(crate) fn remove_pin(pin: &Path) -> Result<(), AttachError> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AttachError::Directory {
            path: pin.to_path_buf(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// The number of the program that runs through the link pinned at `pin`, if there is one.
pub(crate) fn program_of(pin: &Path) -> Option<u32> {
    let link = FdLink::from(PinnedLink::from_pin(pin).ok()?);
    Some(link.info().ok()?.program_id())
}

/// The link pinned at `pin`, if there is one and it still is on the interface; a pin whose
/// interface is gone is removed.
fn adopt(ifindex: u32, pin: &Path) -> Result<Option<SchedClassifierLink>, AttachError> {
    let pinned = match PinnedLink::from_pin(pin) {
        Ok(pinned) => pinned,
        Err(LinkError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(link_error(pin, error)),
    };
    let link = SchedClassifierLink::try_from(FdLink::from(pinned))
        .map_err(|source| link_error(pin, source))?;
    if interface_of(&link, pin)? == ifindex {
        return Ok(Some(link));
    }
    drop(link);
    remove_pin(pin)?;
    Ok(None)
}

/// The index of the interface that the link is on; 0 if that interface is gone.
fn interface_of(link: &SchedClassifierLink, pin: &Path) -> Result<u32, AttachError> {
    let fd = link.fd().map_err(|source| link_error(pin, source))?;
    let path = PathBuf::from(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()));
    let text = fs::read_to_string(&path).map_err(|source| AttachError::Directory {
        path: path.clone(),
        source,
    })?;
    Ok(interface_in_fdinfo(&text))
}

/// Reads `ifindex:\t7` in the kernel's text about a link.
fn interface_in_fdinfo(text: &str) -> u32 {
    text.lines()
        .find_map(|line| line.strip_prefix("ifindex:"))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

fn link_error(pin: &Path, source: LinkError) -> AttachError {
    AttachError::Link {
        path: pin.to_path_buf(),
        source: Box::new(source),
    }
}

/// The error number at the end of an error's chain.
pub(crate) fn errno(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(number) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error)
        {
            return Some(number);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_of_a_link_is_read_from_its_fdinfo() {
        let text = "pos:\t0\nlink_type:\ttcx\nlink_id:\t4\nprog_id:\t9\nifindex:\t7\n";
        assert_eq!(interface_in_fdinfo(text), 7);
        assert_eq!(interface_in_fdinfo("ifindex:\t0\n"), 0);
        assert_eq!(interface_in_fdinfo("link_type:\ttcx\n"), 0);
    }

    #[test]
    fn the_error_number_is_found_through_a_chain() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::from_raw_os_error(libc::EINVAL));
        assert_eq!(errno(&error), Some(libc::EINVAL));
        assert_eq!(errno(&Outer(io::Error::other("x"))), None);
    }
}
