//! Sweeps expired flows, and reports flow tables that are nearly full.

use super::{super::summary::chain, Daemon};
use crate::datapath::{Occupancy, SweepCursor};

impl Daemon {
    /// Removes expired flows slice by slice, and yields to other tasks between slices.
    pub(super) async fn sweep_flows(&mut self) {
        let Some(kernel) = self.reconciler.kernel() else {
            return;
        };
        let mut cursor = SweepCursor::default();
        loop {
            match kernel.maps().sweep_slice(&mut cursor) {
                Ok(swept) if swept.round_ended => break,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => {
                    log::error!("sweep expired flows: {}", chain(&error));
                    return;
                }
            }
        }
        self.tell_pressure(&cursor.occupancy);
    }

    /// Warns once when a table becomes nearly full, and again only after it had room.
    fn tell_pressure(&mut self, tables: &[Occupancy]) {
        for table in tables {
            let name = table.name();
            if !table.is_pressing() {
                self.pressing.remove(&name);
            } else if self.pressing.insert(name) {
                log::warn!("{}", table.warning());
            }
        }
    }
}
