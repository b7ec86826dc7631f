//! The `hep` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hep_userspace::cli::main()
}
