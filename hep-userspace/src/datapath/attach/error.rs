//! Errors of attaching and detaching.

use std::{io, path::PathBuf};

use aya::programs::{ProgramError, links::LinkError, tc::TcError};

/// Why programs could not be attached or detached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The kernel refused the program at the hook.
    #[error("attach {program} to {interface} (ifindex {ifindex})")]
    Program {
        /// Program name.
        program: &'static str,
        /// Interface name.
        interface: String,
        /// Interface index.
        ifindex: u32,
        /// Cause.
        source: Box<ProgramError>,
    },
    /// The interface went away, or another one took its name; a later look at the interfaces
    /// settles it.
    #[error("interface {0} is gone")]
    Gone(String),
    /// A pinned link could not be opened.
    #[error("link {}", path.display())]
    Link {
        /// The pin.
        path: PathBuf,
        /// Cause.
        source: Box<LinkError>,
    },
    /// A link could not be pinned.
    #[error("pin {}", path.display())]
    Pin {
        /// The pin.
        path: PathBuf,
        /// Cause.
        source: Box<aya::pin::PinError>,
    },
    /// The pin directory could not be read or changed.
    #[error("{}", path.display())]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The clsact qdisc could not be made.
    #[error("clsact qdisc of {interface}")]
    Qdisc {
        /// Interface name.
        interface: String,
        /// Cause.
        source: Box<TcError>,
    },
    /// An `ingress` qdisc is where clsact belongs, which alone has an egress side.
    #[error(
        "{interface} has an ingress qdisc, which keeps hep from adding clsact: what leaves by \
         {interface} is NOT policed; let clsact take its place, with the filters that are on it: \
         `tc qdisc del dev {interface} ingress`"
    )]
    IngressQdisc {
        /// Interface name.
        interface: String,
    },
    /// A routing netlink request failed.
    #[error("qdiscs and filters of {interface}")]
    Netlink {
        /// Interface name.
        interface: String,
        /// Cause.
        source: Box<rtnetlink::Error>,
    },
}
