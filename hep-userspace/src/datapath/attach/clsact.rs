//! clsact filters: for kernels without TCX, and for `bpfAttachType: TC`.

use std::path::Path;

use aya::programs::{
    Link, SchedClassifier,
    tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle},
};
use futures_util::TryStreamExt;
use rtnetlink::packet_route::tc::{
    TcAttribute, TcFilterBpfOption, TcHandle as RouteHandle, TcMessage, TcOption,
};

use super::{
    error::AttachError,
    links::errno,
    records::{self, make_record, remove_record},
    target::{Outcome, Target, attach_type},
};
use crate::datapath::object::program::Program;

/// Ours run before every filter of another priority.
const PRIORITY: u16 = 1;
/// Distinguishes our filter from others of the same priority: `0x68650001`, `he` and 1.
const HANDLE: TcHandle = TcHandle::new(0x6865, 1);
/// The same handle in netlink messages.
const OWN_HANDLE: RouteHandle = RouteHandle {
    major: 0x6865,
    minor: 1,
};

/// Ensures that `program` is on the interface, in place of an earlier one of ours if there is one, and
/// creates the clsact qdisc if there is none.
///
/// # Errors
///
/// [`AttachError::IngressQdisc`] if an ingress qdisc prevents an egress side; else what the kernel refused.
pub(crate) async fn attach(
    program: &mut SchedClassifier,
    which: Program,
    target: &Target,
    records: &records::Filter,
    netlink: &rtnetlink::Handle,
) -> Result<Outcome, AttachError> {
    let fail = |source| AttachError::Program {
        program: which.name(),
        interface: target.name.to_string(),
        ifindex: target.ifindex,
        source: Box::new(source),
    };
    let present = present(which, target, netlink).await?;
    let is_on_record = records.filter.exists();
    if is_on_record && present == Some(program.info().map_err(fail)?.id()) {
        return Ok(Outcome::Already);
    }
    make_qdisc(which, target, &records.qdisc, netlink).await?;
    let link =
        SchedClassifierLink::attached(&target.name, attach_type(which), PRIORITY, HANDLE, None)
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
                .attach_with_options(&target.name, attach_type(which), options)
                .map_err(fail)?
        }
        Err(error) => return Err(fail(error)),
    };
    // A filter stays until it is deleted; dropping aya's handle would delete it.
    std::mem::forget(program.take_link(id).map_err(fail)?);
    make_record(&records.filter)?;
    Ok(if is_on_record && present.is_none() {
        Outcome::Restored
    } else {
        Outcome::Attached
    })
}

/// The number of the program that our filter runs on this side of the interface, if it is there.
pub(crate) async fn present(
    which: Program,
    target: &Target,
    netlink: &rtnetlink::Handle,
) -> Result<Option<u32>, AttachError> {
    // An ingress qdisc has one side, and shows its filters on both.
    match (top_qdisc(target, netlink).await?, which) {
        (TopQdisc::Clsact, _) | (TopQdisc::Ingress, Program::Ingress) => {}
        (TopQdisc::Ingress, Program::Egress) | (TopQdisc::Neither, _) => return Ok(None),
    }
    let filters = filters(which, target, netlink).await?;
    let ours = filters.iter().find(|filter| {
        let header = &filter.header;
        header.handle == OWN_HANDLE
            && header.info >> 16 == u32::from(PRIORITY)
            && is_kind(filter, "bpf")
    });
    Ok(ours.and_then(program_of))
}

/// The number of the program that a filter runs.
fn program_of(filter: &TcMessage) -> Option<u32> {
    let options = filter.attributes.iter().find_map(|attribute| {
        if let TcAttribute::Options(options) = attribute {
            return Some(options);
        }
        None
    })?;
    options.iter().find_map(|option| {
        if let TcOption::Bpf(TcFilterBpfOption::ProgId(id)) = option {
            return Some(*id);
        }
        None
    })
}

/// Deletes our filter, and the record of it.
pub(crate) fn detach(
    which: Program,
    target: &Target,
    filter_record: &Path,
) -> Result<(), AttachError> {
    if let Ok(link) =
        SchedClassifierLink::attached(&target.name, attach_type(which), PRIORITY, HANDLE, None)
        && let Err(error) = link.detach()
        && !matches!(
            errno(&error),
            Some(libc::ENOENT | libc::EINVAL | libc::ENODEV)
        )
    {
        return Err(AttachError::Program {
            program: which.name(),
            interface: target.name.to_string(),
            ifindex: target.ifindex,
            source: Box::new(error),
        });
    }
    remove_record(filter_record)
}

/// Deletes the clsact qdisc if we made it and no filter is left on it.
pub(crate) async fn remove_qdisc(
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

/// The qdisc in the place of clsact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TopQdisc {
    Clsact,
    /// An `ingress` qdisc: the same without the egress side.
    Ingress,
    Neither,
}

async fn make_qdisc(
    which: Program,
    target: &Target,
    record: &Path,
    netlink: &rtnetlink::Handle,
) -> Result<(), AttachError> {
    match (top_qdisc(target, netlink).await?, which) {
        (TopQdisc::Clsact, _) => return Ok(()),
        // Whoever made it keeps it.
        (TopQdisc::Ingress, Program::Ingress) => return remove_record(record),
        (TopQdisc::Ingress, Program::Egress) => {
            return Err(AttachError::IngressQdisc {
                interface: target.name.to_string(),
            });
        }
        (TopQdisc::Neither, _) => {}
    }
    // The record first: a crash between the two leaves a record too many, which is harmless while
    // there is no qdisc.
    make_record(record)?;
    tc::qdisc_add_clsact(&target.name).map_err(|source| AttachError::Qdisc {
        interface: target.name.to_string(),
        source: Box::new(source),
    })
}

async fn top_qdisc(target: &Target, netlink: &rtnetlink::Handle) -> Result<TopQdisc, AttachError> {
    let qdiscs: Vec<TcMessage> = netlink
        .qdisc()
        .get()
        .index(index_of(target))
        .execute()
        .try_collect()
        .await
        .map_err(|error| netlink_error(target, error))?;
    // Kernels before strict checking answer with the qdiscs of every interface.
    let mut own = qdiscs
        .iter()
        .filter(|message| message.header.index == index_of(target));
    let found = own.find_map(|message| {
        if is_kind(message, "clsact") {
            return Some(TopQdisc::Clsact);
        }
        is_kind(message, "ingress").then_some(TopQdisc::Ingress)
    });
    Ok(found.unwrap_or(TopQdisc::Neither))
}

async fn filters(
    which: Program,
    target: &Target,
    netlink: &rtnetlink::Handle,
) -> Result<Vec<TcMessage>, AttachError> {
    let request = netlink.traffic_filter(index_of(target)).get();
    let request = match which {
        Program::Ingress => request.ingress(),
        Program::Egress => request.egress(),
    };
    match request.execute().try_collect().await {
        Err(error) if is_gone(&error) => Ok(Vec::new()),
        found => found.map_err(|error| netlink_error(target, error)),
    }
}

async fn has_filters(target: &Target, netlink: &rtnetlink::Handle) -> Result<bool, AttachError> {
    for which in Program::ALL {
        if !filters(which, target, netlink).await?.is_empty() {
            return Ok(true);
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
