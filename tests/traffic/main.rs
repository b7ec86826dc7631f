//! Real sockets and frames in network namespaces, the daemon as shipped.
//!
//! Every test shows first, without the daemon, that its probes get through.

mod ground;
