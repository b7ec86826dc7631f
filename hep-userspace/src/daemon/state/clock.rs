//! Moments that can be compared after the process that noted them is gone.

use std::{fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::super::status::unix_ms;

/// A moment by both clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Names the run of the host's kernel; `boottime_ms` means something only within it.
    pub boot_id: String,
    /// `CLOCK_BOOTTIME`, milliseconds: never set, and goes on while the host is suspended.
    pub boottime_ms: u64,
    /// The time of day, milliseconds since 1970.
    pub unix_ms: u64,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let boottime = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
        Self {
            // Unreadable means unknown, and so equal to no other moment's.
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map_or_else(|_unknown| String::new(), |id| id.trim().to_owned()),
            boottime_ms: u64::try_from(boottime.as_millis()).unwrap_or(u64::MAX),
            unix_ms: unix_ms(),
        }
    }
}
