//! Tells the benches where the object of their yardsticks is.

use std::env;

fn main() {
    match env::var("DEP_HEP_EBPF_YARDSTICKS") {
        Ok(path) => println!("cargo::rustc-env=HEP_YARDSTICKS={path}"),
        Err(error) => println!("cargo::error=hep-userspace names no yardsticks: {error}"),
    }
}
