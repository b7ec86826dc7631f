//! Expired flows, and how much room there is for others.

use super::{super::summary::chain, Daemon};
use crate::datapath::{Occupancy, SweepCursor};

impl Daemon {
    /// Removes expired flows, a slice at a time, with a chance for others between slices.
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

    /// Warns of each table once when it gets full, and again after it had room.
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
