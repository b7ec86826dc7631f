//! Grace periods of interfaces that come under policy (spec EV-158).

use std::collections::BTreeSet;

use hep_common::grace::{GRACE_NS, Grace};

use crate::datapath::{
    Kernel, KernelError,
    object::names,
    sys::{bpf::Cursor, clock::monotonic_ns},
};

const MAP: &str = names::GRACE;
/// Entries read at a time.
const SLICE: u32 = 4096;

impl Kernel {
    /// Starts the grace period of these interfaces: the programs pick up existing connections. To be called
    /// before programs are attached, which may take long, and again when they are.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] or [`KernelError::Map`] with the kernel's error.
    pub fn begin_grace(&mut self, ifindexes: &BTreeSet<u32>) -> Result<(), KernelError> {
        if ifindexes.is_empty() {
            return Ok(());
        }
        let now_ns = monotonic_ns();
        self.end_graces(now_ns)?;
        let keys: Vec<u32> = ifindexes.iter().copied().collect();
        let until = Grace {
            until_ns: now_ns.saturating_add(GRACE_NS),
        };
        self.maps
            .hash::<u32, Grace>(MAP)?
            .update(&keys, &vec![until; keys.len()])
            .map_err(KernelError::io(MAP, "write"))
    }

    /// Removes periods that are over, to make room.
    fn end_graces(&mut self, now_ns: u64) -> Result<(), KernelError> {
        let mut over = Vec::new();
        {
            let graces = self.maps.hash::<u32, Grace>(MAP)?;
            let mut cursor = Cursor::default();
            loop {
                let batch = graces
                    .lookup(&mut cursor, SLICE)
                    .map_err(KernelError::io(MAP, "read"))?;
                let found = batch.keys.iter().zip(&batch.values);
                over.extend(
                    found
                        .filter(|(_, grace)| grace.until_ns <= now_ns)
                        .map(|(ifindex, _)| *ifindex),
                );
                if batch.end {
                    break;
                }
            }
        }
        let mut graces = self.maps.hash_mut::<u32, Grace>(MAP)?;
        over.iter()
            .try_for_each(|ifindex| graces.remove(ifindex))
            .map_err(KernelError::map(MAP, "remove from"))
    }
}
