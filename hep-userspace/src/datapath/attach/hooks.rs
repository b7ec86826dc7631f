//! Attachments of the programs to an interface, as the kernel reports them.

use std::path::Path;

use serde::Serialize;

use super::{clsact, links, records, target::Target};
use crate::datapath::object::program::Program;

/// Attachment of the program on one side of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// By a TCX link.
    Tcx,
    /// By a clsact filter.
    Clsact,
    /// It has none.
    Missing,
}

impl Hook {
    /// The stable name that commands print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
            Self::Missing => "missing",
        }
    }
}

/// Attachments of the programs on both sides of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// Packets that come in.
    pub ingress: Hook,
    /// Packets that go out.
    pub egress: Hook,
    /// When a program was last found missing unexpectedly, in milliseconds of Unix time; `None`: never since
    /// the interface is policed.
    pub last_missing_unix_ms: Option<u64>,
}

/// Attachments of an interface, for the instance with this directory of links: records are checked in the
/// kernel.
pub async fn hooks(directory: &Path, target: &Target, netlink: &rtnetlink::Handle) -> Hooks {
    let both = Program::ALL;
    let missed = both.map(|it| records::last_missed(directory, target.ifindex, it));
    let [ingress, egress] = both;
    Hooks {
        ingress: hook(directory, target, ingress, netlink).await,
        egress: hook(directory, target, egress, netlink).await,
        last_missing_unix_ms: missed.into_iter().flatten().max(),
    }
}

async fn hook(
    directory: &Path,
    target: &Target,
    which: Program,
    netlink: &rtnetlink::Handle,
) -> Hook {
    let pin = records::link(directory, target.ifindex, which);
    if links::is_on(&pin, target.ifindex) {
        return Hook::Tcx;
    }
    if records::filter(directory, target.ifindex, which).exists()
        && let Ok(Some(_program)) = clsact::present(which, target, netlink).await
    {
        return Hook::Clsact;
    }
    Hook::Missing
}
