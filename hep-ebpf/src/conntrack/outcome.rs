//! Outcomes of looking at a packet's flow, and of judging a packet without one.

use hep_common::counter::Reason;

/// The step that a packet needs before there is a verdict.
pub(crate) enum Todo {
    /// Its flow must be judged by the rules in force first, by `revalidate`.
    Revalidate,
    /// It is the first of a flow, for `open`.
    Open,
    /// It is the first of a flow that replaces an assured one, for `open`.
    Replace,
    /// It is a TCP segment that belongs to no known flow and opens none, for `midstream`.
    Midstream,
    /// It is a TCP segment of a known flow that is not approved at this kind of hook, for `midstream`.
    Approve,
}

/// Decision about a packet of no known flow, or one that opens a connection.
pub(crate) enum Opening {
    /// A verdict, and no flow.
    Verdict(Reason),
    /// It is accepted, and opens a flow for `take` and `store`.
    Accept(Reason),
    /// It is accepted, and belongs to a connection that was opened before.
    Belongs {
        /// Why.
        reason: Reason,
        /// The other end has opened the connection.
        replies: bool,
        /// This host has the connection open, too.
        is_assured: bool,
    },
}

/// How to store the flow of an accepted packet.
pub(crate) struct Keep {
    /// It replaces an assured one.
    pub(crate) replaces: bool,
    /// The packet's receiver has opened it.
    pub(crate) replies: bool,
    /// It is assured.
    pub(crate) is_assured: bool,
}

/// Whether an accepted packet has updated a known flow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It did.
    Yes,
    /// There is none.
    No,
    /// The only one is assured, and has ended or is blocked: the new flow replaces it.
    Replace,
}

/// Which end of a flow opened it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    /// The one that sent the packet at hand.
    Sender,
    /// The other one: the packet is a reply.
    Receiver,
}
