//! Whether a generation has the rules of another one.

use std::{
    fmt::Debug,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::fs::MetadataExt as _,
};

use crate::{
    compile::{Description, Generation},
    datapath::Kernel,
};

/// The running program.
const PROGRAM: &str = "/proc/self/exe";

/// A number, in hexadecimal digits, for everything but the policy that a generation is compiled from, and
/// for the build that does so: equal policies with equal numbers have equal rules. Empty if the build
/// cannot be told from others, and so like no other.
pub(super) fn digest(inputs: &dyn Debug) -> String {
    let Ok(program) = fs::metadata(PROGRAM) else {
        return String::new();
    };
    let mut hasher = DefaultHasher::new();
    let build = [program.dev(), program.ino(), program.len()];
    let changed = [program.mtime(), program.mtime_nsec()];
    (build, changed, format!("{inputs:?}")).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Since which generation the rules of the one in force, which a former daemon loaded, have been those of
/// another one; `None` if they are not. A policy is the same if its first generation is.
pub(super) fn same_since(kernel: &Kernel, next: &Description) -> Option<u32> {
    let in_force = kernel.maps().description().ok()?;
    let is_same = in_force.policy == next.policy
        && in_force.policy != 0
        && in_force.inputs == next.inputs
        && !in_force.inputs.is_empty();
    is_same
        .then(|| kernel.maps().settings().ok())?
        .map(|settings| settings.same_since)
}

/// Whether two generations mean the same, whatever their number.
pub(super) fn is_same(last: &Generation, next: &Generation) -> bool {
    let mut description = next.description.clone();
    description.generation = last.description.generation;
    description.applied_unix_ms = last.description.applied_unix_ms;
    description.inputs.clone_from(&last.description.inputs);
    last.tables == next.tables && last.description == description
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_inputs_have_another_number() {
        assert_eq!(digest(&(1, "a")), digest(&(1, "a")));
        assert_ne!(digest(&(1, "a")), digest(&(1, "b")));
        assert_eq!(digest(&1).len(), 16);
    }
}
