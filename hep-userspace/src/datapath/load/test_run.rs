//! One packet through a loaded program, by `BPF_PROG_TEST_RUN`.
//!
//! Treatment of the frame by the kernel (`net/bpf/test_run.c`):
//!
//! - The interface is looked up in the caller's network namespace; index 0 and 1 mean its
//!   loopback. It need not be up.
//! - A frame needs 14 bytes. They are taken for an Ethernet header whatever the interface's kind is,
//!   to derive `skb->protocol`, and then put back: the program sees the frame from its first byte.
//!   So a frame of a device without Ethernet (tun, WireGuard) is passed as it is, from the IP header
//!   on, but `skb->protocol` then comes from bytes 12 and 13 of that header and means nothing; the
//!   programs derive the family from the version field there.
//! - Newer kernels refuse a frame whose Ethernet type says IPv4 or IPv6 if it is shorter than the
//!   fixed IP header.

use std::io;

use aya::programs::{ProgramError, SchedClassifier, TestRun as _, TestRunOptions, TestRunResult};
use hep_common::decision::Decision;

use crate::datapath::{Kernel, KernelError, object::program::Program};

/// Least length of a frame.
const ETHERNET_BYTES: usize = 14;
/// `TC_ACT_UNSPEC`: this program is done, the next one may decide.
const TC_ACT_UNSPEC: u32 = u32::MAX;
/// `TC_ACT_OK`: the packet passes.
const TC_ACT_OK: u32 = 0;
/// `TC_ACT_SHOT`: the packet is dropped.
const TC_ACT_SHOT: u32 = 2;
/// Outcome of a program's run on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    /// The packet passes.
    pub accepted: bool,
    /// Why, if the programs were loaded with `record_decisions`.
    pub decision: Option<Decision>,
}

impl Kernel {
    /// Runs a program on one frame as if it were seen at an interface's hook: `ingress_ifindex` is the
    /// interface a forwarded packet came in by, or 0. Counters, flows and the rest change as they would for a
    /// packet from the network.
    ///
    /// # Errors
    ///
    /// [`KernelError::FrameTooShort`] below 14 bytes, [`KernelError::NoInterface`],
    /// [`KernelError::FrameRefused`] for what else the kernel does not accept as a packet,
    /// [`KernelError::NoVerdict`].
    pub fn test_run(
        &self,
        hook: impl Into<Program>,
        ifindex: u32,
        ingress_ifindex: u32,
        frame: &[u8],
    ) -> Result<TestOutcome, KernelError> {
        let hook = hook.into();
        let name = hook.name();
        let run = || self.run(hook, ifindex, ingress_ifindex, frame, 1);
        let (result, decision) = match &self.decisions {
            Some(decisions) => decisions.around(run)?,
            None => (run()?, None),
        };
        let accepted = match result.return_value {
            TC_ACT_OK | TC_ACT_UNSPEC => true,
            TC_ACT_SHOT => false,
            code => {
                return Err(KernelError::NoVerdict {
                    program: name,
                    code,
                });
            }
        };
        Ok(TestOutcome { accepted, decision })
    }

    /// Runs a program on one frame `repeat` times in one call, and ignores the verdicts: for measuring. A
    /// flow that the packet opens is known from the second time on.
    ///
    /// # Errors
    ///
    /// Those of [`Self::test_run`] but [`KernelError::NoVerdict`].
    pub fn test_repeatedly(
        &self,
        hook: impl Into<Program>,
        ifindex: u32,
        frame: &[u8],
        repeat: u32,
    ) -> Result<(), KernelError> {
        self.run(hook.into(), ifindex, 0, frame, repeat)
            .map(|_last| ())
    }

    fn run(
        &self,
        hook: Program,
        ifindex: u32,
        ingress_ifindex: u32,
        frame: &[u8],
        repeat: u32,
    ) -> Result<TestRunResult, KernelError> {
        let name = hook.name();
        let program: &SchedClassifier = self
            .ebpf
            .program(name)
            .and_then(|program| program.try_into().ok())
            .ok_or(KernelError::Missing(name))?;
        if frame.len() < ETHERNET_BYTES {
            return Err(KernelError::FrameTooShort(frame.len()));
        }
        program
            .test_run(TestRunOptions {
                data_in: Some(frame),
                ctx_in: Some(&context(ifindex, ingress_ifindex)),
                repeat,
                ..TestRunOptions::default()
            })
            .map_err(|error| explain(error, name, ifindex))
    }
}

/// The start of a `struct __sk_buff` with the two fields that a test may choose; the kernel takes
/// the rest as zeros.
fn context(ifindex: u32, ingress_ifindex: u32) -> [u8; 44] {
    const INGRESS_IFINDEX: usize = 36;
    const IFINDEX: usize = 40;
    let mut context = [0; 44];
    context[INGRESS_IFINDEX..IFINDEX].copy_from_slice(&ingress_ifindex.to_ne_bytes());
    context[IFINDEX..].copy_from_slice(&ifindex.to_ne_bytes());
    context
}

fn explain(error: ProgramError, name: &'static str, ifindex: u32) -> KernelError {
    if let ProgramError::SyscallError(call) = &error {
        match call.io_error.raw_os_error() {
            Some(libc::ENODEV) => return KernelError::NoInterface(ifindex),
            Some(libc::EINVAL) => {
                return KernelError::FrameRefused(io::Error::from_raw_os_error(libc::EINVAL));
            }
            _ => {}
        }
    }
    KernelError::Program {
        name,
        source: Box::new(error),
    }
}
