//! The `hep` command, built with another `ABI_VERSION`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hep_userspace::cli::main()
}
