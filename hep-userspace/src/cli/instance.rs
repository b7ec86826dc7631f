//! The options that name an instance of the daemon, the same on every command.

use std::path::PathBuf;

use clap::Args;

/// Which daemon, by where it keeps its things. The defaults are one instance per host.
#[derive(Args, Clone, Debug)]
pub struct Instance {
    /// The instance's own directory on a bpffs, where its maps and links are pinned
    #[arg(
        long,
        value_name = "DIR",
        env = "HEP_BPFFS",
        default_value = "/sys/fs/bpf/hep"
    )]
    pub bpffs: PathBuf,
    /// The daemon's control socket
    #[arg(
        long,
        value_name = "PATH",
        env = "HEP_SOCKET",
        default_value = "/run/hep/hep.sock"
    )]
    pub socket: PathBuf,
    /// Where the daemon keeps the last good policy
    #[arg(
        long,
        value_name = "DIR",
        env = "HEP_STATE_DIR",
        default_value = "/var/lib/hep"
    )]
    pub state_dir: PathBuf,
}
