//! Output of the programs: events, and log records.

use std::{
    fmt, io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya::maps::{MapData, RingBuf};
use aya_log::EbpfLogger;
use hep_common::event::Event;
use tokio::io::unix::AsyncFd;

use crate::datapath::{
    Kernel, KernelError, Maps,
    object::names,
    sys::{bpf::value_of, watch::readable},
};

/// The ring of log and deny events. Each event goes to one reader only.
pub struct Events {
    ready: AsyncFd<OwnedFd>,
    ring: RingBuf<MapData>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Waits for the next event. No event is lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// The runtime's error if it can no longer watch the ring.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.take() {
                return Ok(event);
            }
            let mut guard = self.ready.readable().await?;
            guard.clear_ready();
            // The look at the ring follows the clearing: what comes later makes it ready again.
        }
    }

    /// The next event, if there is one already.
    pub fn take(&mut self) -> Option<Event> {
        while let Some(record) = self.ring.next() {
            if let Some(event) = value_of(&record) {
                return Some(event);
            }
        }
        None
    }
}

/// The programs' own log records, which go to the `log` crate.
pub struct ProgramLog {
    ready: AsyncFd<OwnedFd>,
    logger: EbpfLogger<&'static dyn log::Log>,
}

impl fmt::Debug for ProgramLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgramLog")
    }
}

impl ProgramLog {
    /// Forwards records as they come; ends only with an error.
    ///
    /// # Errors
    ///
    /// The runtime's error if it can no longer watch the ring.
    pub async fn forward(&mut self) -> io::Result<()> {
        loop {
            self.logger.flush();
            self.ready.readable().await?.clear_ready();
        }
    }
}

impl Maps {
    /// Starts reading events.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] or [`KernelError::Ring`] if the ring cannot be read.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn events(&self) -> Result<Events, KernelError> {
        const MAP: &str = names::EVENTS;
        let ring = RingBuf::try_from(self.reopen(MAP)?).map_err(KernelError::map(MAP, "use"))?;
        let ready =
            readable(ring.as_fd()).map_err(|source| KernelError::Ring { map: MAP, source })?;
        Ok(Events { ready, ring })
    }
}

impl Kernel {
    /// Starts reading the programs' log records. `None` the second time, and if the programs log
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`KernelError::Ring`] if the ring cannot be watched.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn program_log(&mut self) -> Result<Option<ProgramLog>, KernelError> {
        const MAP: &str = names::AYA_LOGS;
        if self.ebpf.map(MAP).is_none() {
            return Ok(None);
        }
        let ring = |source| KernelError::Ring { map: MAP, source };
        let logger = EbpfLogger::init(&mut self.ebpf)
            .map_err(io::Error::other)
            .map_err(ring)?;
        let ready = readable(logger.as_fd()).map_err(ring)?;
        Ok(Some(ProgramLog { ready, logger }))
    }
}
