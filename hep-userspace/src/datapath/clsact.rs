//! clsact filters: for kernels without TCX, and for `bpfAttachType: TC`.

use std::{fs, io, path::Path};

use aya::programs::{
    Link, SchedClassifier,
    tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle},
};
use futures_util::TryStreamExt;
use hep_common::Direction;
use rtnetlink::packet_route::tc::TcHandle as RouteHandle;
use rtnetlink::packet_route::tc::{TcAttribute, TcMessage};

use super::attach::{AttachError, Target, attach_type, program_name};
use super::links::errno;

/// Ours run before every filter of another priority.
const PRIORITY: u16 = 1;
/// Tells our filter from others of the same priority: `0x68650001`, `he` and 1.
const HANDLE: TcHandle = TcHandle::new(0x6865, 1);

/// Puts `program` on the interface, in place of an earlier one of ours if there is one, and makes
/// the clsact qdisc if there is none; `qdisc_record` is a directory that says that we did.
pub(super) async fn attach(
    program: &mut SchedClassifier,
    direction: Direction,
    target: &Target,
    filter_record: &Path,
    qdisc_record: &Path,
    netlink: &rtnetlink::Handle,
) -> Result<(), AttachError> {
    let fail = |source| AttachError::Program {
        program: program_name(direction),
        interface: target.name.to_string(),
        ifindex: target.ifindex,
        source: Box::new(source),
    };
    make_qdisc(target, qdisc_record, netlink).await?;
    let link =
        SchedClassifierLink::attached(&target.name, attach_type(direction), PRIORITY, HANDLE, None)
            .map_err(|_unknown_name| AttachError::Gone(target.name.to_string()))?;
    let id = match program.attach_to_link(link) {
        Ok(id) => id,
        Err(error) if errno(&error) == Some(libc::ENOENT) => {
            let options = TcAttachOptions::Netlink(NlOptions {
                priority: PRIORITY,
                handle: HANDLE,
                classid: None,
            });
            program
                .attach_with_options(&target.name, attach_type(direction), options)
                .map_err(fail)?
        }
        Err(error) => return Err(fail(error)),
    };
    // A filter stays until it is deleted; dropping aya's handle would delete it.
    std::mem::forget(program.take_link(id).map_err(fail)?);
    make_record(filter_record)
}

/// Deletes our filter, and the record of it.
pub(super) fn detach(
    direction: Direction,
    target: &Target,
    filter_record: &Path,
) -> Result<(), AttachError> {
    if let Ok(link) =
        SchedClassifierLink::attached(&target.name, attach_type(direction), PRIORITY, HANDLE, None)
        && let Err(error) = link.detach()
        && !matches!(
            errno(&error),
            Some(libc::ENOENT | libc::EINVAL | libc::ENODEV)
        )
    {
        return Err(AttachError::Program {
            program: program_name(direction),
            interface: target.name.to_string(),
            ifindex: target.ifindex,
            source: Box::new(error),
        });
    }
    remove_record(filter_record)
}

/// Deletes the clsact qdisc if we made it and no filter is left on it.
pub(super) async fn remove_qdisc(
    target: &Target,
    qdisc_record: &Path,
    netlink: &rtnetlink::Handle,
) -> Result<(), AttachError> {
    if !qdisc_record.exists() {
        return Ok(());
    }
    if !has_filters(target, netlink).await? {
        let mut request = netlink.qdisc().del(index_of(target));
        request.message_mut().header.parent = RouteHandle::CLSACT;
        request.message_mut().header.handle = RouteHandle {
            major: u16::MAX,
            minor: 0,
        };
        if let Err(error) = request.execute().await
            && !is_gone(&error)
        {
            return Err(netlink_error(target, error));
        }
    }
    remove_record(qdisc_record)
}

/// Removes a record, a directory without content.
pub(super) fn remove_record(record: &Path) -> Result<(), AttachError> {
    match fs::remove_dir(record) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AttachError::Directory {
            path: record.to_path_buf(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Makes a record.
pub(super) fn make_record(record: &Path) -> Result<(), AttachError> {
    match fs::create_dir(record) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(AttachError::Directory {
            path: record.to_path_buf(),
            source: error,
        }),
        _ => Ok(()),
    }
}

async fn make_qdisc(
    target: &Target,
    record: &Path,
    netlink: &rtnetlink::Handle,
) -> Result<(), AttachError> {
    if has_clsact(target, netlink).await? {
        return Ok(());
    }
    // The record first: a crash between the two leaves a record too many, which is harmless while
    // there is no qdisc.
    make_record(record)?;
    tc::qdisc_add_clsact(&target.name).map_err(|source| AttachError::Qdisc {
        interface: target.name.to_string(),
        source: Box::new(source),
    })
}

async fn has_clsact(target: &Target, netlink: &rtnetlink::Handle) -> Result<bool, AttachError> {
    let qdiscs: Vec<TcMessage> = netlink
        .qdisc()
        .get()
        .index(index_of(target))
        .execute()
        .try_collect()
        .await
        .map_err(|error| netlink_error(target, error))?;
    // Kernels before strict checking answer with the qdiscs of every interface.
    Ok(qdiscs
        .iter()
        .any(|message| message.header.index == index_of(target) && is_kind(message, "clsact")))
}

async fn has_filters(target: &Target, netlink: &rtnetlink::Handle) -> Result<bool, AttachError> {
    for direction in [Direction::Ingress, Direction::Egress] {
        let request = netlink.traffic_filter(index_of(target)).get();
        let request = match direction {
            Direction::Ingress => request.ingress(),
            Direction::Egress => request.egress(),
        };
        let filters: Result<Vec<TcMessage>, _> = request.execute().try_collect().await;
        match filters {
            Ok(filters) if filters.is_empty() => {}
            Ok(_) => return Ok(true),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(netlink_error(target, error)),
        }
    }
    Ok(false)
}

fn is_kind(message: &TcMessage, kind: &str) -> bool {
    message
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, TcAttribute::Kind(text) if text == kind))
}

fn index_of(target: &Target) -> i32 {
    i32::try_from(target.ifindex).expect("the kernel's interface indices are positive ints")
}

/// Whether the interface or the qdisc does not exist any more.
fn is_gone(error: &rtnetlink::Error) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(message)
        if matches!(-message.raw_code(), libc::ENODEV | libc::ENOENT | libc::EINVAL))
}

fn netlink_error(target: &Target, source: rtnetlink::Error) -> AttachError {
    AttachError::Netlink {
        interface: target.name.to_string(),
        source: Box::new(source),
    }
}
