//! The options that select an instance of the daemon, the same on every command.

use std::path::PathBuf;

use clap::Args;

use crate::view;

/// The directories and the socket of one daemon. The defaults are one instance per host.
#[derive(Args, Clone, Debug)]
pub struct Instance {
    /// Directory of the instance on a bpffs, where its maps and links are pinned
    #[arg(
        long,
        value_name = "DIR",
        env = "HEP_BPFFS",
        default_value = "/sys/fs/bpf/hep"
    )]
    pub bpffs: PathBuf,
    /// Control socket of the daemon
    #[arg(
        long,
        value_name = "PATH",
        env = "HEP_SOCKET",
        default_value = "/run/hep/hep.sock"
    )]
    pub socket: PathBuf,
    /// Directory where the daemon keeps its journal and the last good policies
    #[arg(
        long,
        value_name = "DIR",
        env = "HEP_STATE_DIR",
        default_value = "/var/lib/hep"
    )]
    pub state_dir: PathBuf,
}

impl Instance {
    /// The places from which views are read.
    #[must_use]
    pub fn places(&self) -> view::Instance<'_> {
        view::Instance {
            bpffs: &self.bpffs,
            socket: &self.socket,
            state_dir: &self.state_dir,
        }
    }
}
