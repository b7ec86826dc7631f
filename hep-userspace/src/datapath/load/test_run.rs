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

use std::{
    fmt, io,
    sync::{Mutex, PoisonError},
};

use aya::{
    maps::{MapData, PerCpuArray, PerCpuValues},
    programs::{ProgramError, SchedClassifier, TestRun as _, TestRunOptions, TestRunResult},
    util::nr_cpus,
};
use hep_common::{Direction, decision::Decision};

use crate::datapath::{Kernel, KernelError, attach::interfaces::program_name, object::names};

/// Least length of a frame.
const ETHERNET_BYTES: usize = 14;
/// `TC_ACT_UNSPEC`: this program is done, the next one may decide.
const TC_ACT_UNSPEC: u32 = u32::MAX;
/// `TC_ACT_OK`: the packet passes.
const TC_ACT_OK: u32 = 0;
/// `TC_ACT_SHOT`: the packet is dropped.
const TC_ACT_SHOT: u32 = 2;
/// No number of a reason: marks a CPU on which no decision was recorded.
const NO_REASON: u8 = u8::MAX;

/// Outcome of a program's run on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    /// The packet passes.
    pub accepted: bool,
    /// Why, if the programs were loaded with `record_decisions`.
    pub decision: Option<Decision>,
}

/// The map in which programs record decisions; one test at a time reads it.
pub(crate) struct Decisions(Mutex<PerCpuArray<MapData, Decision>>);

impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decisions")
    }
}

impl Decisions {
    pub(crate) const fn new(map: PerCpuArray<MapData, Decision>) -> Self {
        Self(Mutex::new(map))
    }

    /// Runs `test` and returns what was recorded meanwhile, on whichever CPU.
    fn around<T>(
        &self,
        test: impl FnOnce() -> Result<T, KernelError>,
    ) -> Result<(T, Option<Decision>), KernelError> {
        const MAP: &str = names::DECISION;
        let none = Decision {
            reason: NO_REASON,
            ..Decision::default()
        };
        let cpus = nr_cpus().map_err(|(_file, error)| KernelError::io(MAP, "size")(error))?;
        let unset =
            PerCpuValues::try_from(vec![none; cpus]).map_err(KernelError::io(MAP, "prepare"))?;
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.set(0, unset, 0)
            .map_err(KernelError::map(MAP, "write"))?;
        let result = test()?;
        let values = map.get(&0, 0).map_err(KernelError::map(MAP, "read"))?;
        let recorded = values.iter().find(|value| value.reason != NO_REASON);
        Ok((result, recorded.copied()))
    }
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
        hook: Direction,
        ifindex: u32,
        ingress_ifindex: u32,
        frame: &[u8],
    ) -> Result<TestOutcome, KernelError> {
        let name = program_name(hook);
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
        hook: Direction,
        ifindex: u32,
        frame: &[u8],
        repeat: u32,
    ) -> Result<(), KernelError> {
        self.run(hook, ifindex, 0, frame, repeat).map(|_last| ())
    }

    fn run(
        &self,
        hook: Direction,
        ifindex: u32,
        ingress_ifindex: u32,
        frame: &[u8],
        repeat: u32,
    ) -> Result<TestRunResult, KernelError> {
        let name = program_name(hook);
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
