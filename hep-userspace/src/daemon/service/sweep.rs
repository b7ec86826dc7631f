//! Sweeps expired flows.

use super::{super::summary::chain, daemon::Daemon};
use crate::datapath::SweepCursor;

impl Daemon {
    /// Removes expired flows slice by slice, and yields to other tasks between slices.
    pub(super) async fn sweep_flows(&mut self) {
        let Some(kernel) = self.enforcer.reconciler.kernel() else {
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
        self.reporter.occupancy(&cursor.occupancy);
    }
}
