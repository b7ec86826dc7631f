//! The wall clock, and moments that a later process can compare, too.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment on two clocks: time since boot, and time of day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Id of the host's boot; `boottime_ms` is comparable only within it.
    pub boot_id: String,
    /// `CLOCK_BOOTTIME`, milliseconds: cannot be set, and runs during suspend.
    pub boottime_ms: u64,
    /// The time of day, milliseconds since 1970.
    pub unix_ms: u64,
}

impl Moment {
    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        let boottime = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
        Self {
            // An unreadable id is empty.
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map_or_else(|_unknown| String::new(), |id| id.trim().to_owned()),
            boottime_ms: u64::try_from(boottime.as_millis()).unwrap_or(u64::MAX),
            unix_ms: unix_ms(),
        }
    }
}

/// The wall clock, milliseconds since 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| {
            u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
        })
}
