//! Frames sent into an interface by the kernel itself: XDP live frames.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData},
    programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp},
};
use hep_tests::{namespace::Namespace, packet::Packet};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// How much of a frame is its flow's own: all headers are within.
const HEADER_BYTES: usize = 64;
/// Bytes after the UDP header, so that every frame has [`HEADER_BYTES`].
const PAYLOAD_BYTES: usize = 22;
/// Frames that the kernel makes and the receiver takes at a time: fewer than NAPI's budget of 64, so
/// that the receiver is done with one batch before the next is made.
const BATCH: u32 = 32;

/// The program that sends, with its flows.
pub(super) struct Generator(Ebpf);

/// The flows to send packets of, in order.
pub(super) struct Course {
    frame: Vec<u8>,
    headers: Vec<[u64; HEADER_BYTES / 8]>,
}

impl Course {
    /// One frame of each flow.
    pub(super) fn new(packets: impl IntoIterator<Item = Packet>) -> Self {
        let mut course = Self {
            frame: Vec::new(),
            headers: Vec::new(),
        };
        for packet in packets {
            course.frame = packet.payload(PAYLOAD_BYTES).frame();
            let mut words = [0; HEADER_BYTES / 8];
            for (word, bytes) in words.iter_mut().zip(course.frame.as_chunks().0) {
                *word = u64::from_ne_bytes(*bytes);
            }
            course.headers.push(words);
        }
        course
    }

    /// Number of flows.
    pub(super) fn flows(&self) -> u32 {
        u32::try_from(self.headers.len()).unwrap_or(u32::MAX)
    }
}

impl Generator {
    /// Loads the program.
    pub(super) fn load() -> Result<Self> {
        let path = env!("HEP_YARDSTICKS");
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("BASE4", 1)
            .map_max_entries("BASE6", 1)
            .load_file(path)
            .with_context(|| format!("load {path}"))?;
        let program: &mut Xdp = ebpf
            .program_mut("generate")
            .context("no program generate")?
            .try_into()?;
        program.load()?;
        Ok(Self(ebpf))
    }

    /// Takes up a course from its first flow on.
    pub(super) fn follow(&mut self, course: &Course) -> Result<()> {
        let map = self.0.map_mut("FLOWS").context("no map FLOWS")?;
        let mut flows: Array<&mut MapData, [u64; HEADER_BYTES / 8]> = map.try_into()?;
        for (index, headers) in (0..).zip(&course.headers) {
            flows.set(index, headers, 0)?;
        }
        self.set_course([0, course.flows(), 0])
    }

    /// Sends `packets` frames by an interface of `namespace`, each received to its end before the
    /// next batch, on this one CPU; how long a packet took, as the kernel has it.
    pub(super) fn send(
        &mut self,
        course: &Course,
        namespace: &Namespace,
        interface: &str,
        packets: u32,
    ) -> Result<Duration> {
        let [_, flows, turn] = self.course()?;
        self.set_course([namespace.ifindex(interface), flows, turn])?;
        let program: &Xdp = self
            .0
            .program("generate")
            .context("no program generate")?
            .try_into()?;
        let result = namespace.run(|| {
            stay_on_one_cpu()?;
            let result = program.test_run(TestRunOptions {
                data_in: Some(&course.frame),
                repeat: packets,
                attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
                ..TestRunOptions::default()
            })?;
            anyhow::Ok(result)
        })?;
        Ok(result.duration)
    }

    fn course(&self) -> Result<[u32; 3]> {
        let map = self.0.map("COURSE").context("no map COURSE")?;
        let course: Array<&MapData, [u32; 3]> = map.try_into()?;
        Ok(course.get(&0, 0)?)
    }

    fn set_course(&mut self, value: [u32; 3]) -> Result<()> {
        let map = self.0.map_mut("COURSE").context("no map COURSE")?;
        let mut course: Array<&mut MapData, [u32; 3]> = map.try_into()?;
        Ok(course.set(0, value, 0)?)
    }
}

/// Keeps the current thread on the last CPU that it may use.
fn stay_on_one_cpu() -> Result<()> {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread)?;
    let last = (0..CpuSet::count()).rfind(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(last.context("no CPU to run on")?)?;
    Ok(sched_setaffinity(this_thread, &one)?)
}
