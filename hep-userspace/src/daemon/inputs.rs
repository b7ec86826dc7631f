//! Compares generations: whether one has the same rules as another.

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

/// Hash, in hexadecimal digits, of all inputs of a generation except the policy, and of the build that
/// compiles it: equal policies with equal hashes have equal rules. Empty if the build cannot be
/// identified, and then equal to no other.
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

/// The generation since which the rules have been those of the one in force, which a previous daemon
/// loaded; `None` if `next` has other rules. A policy is the same if its first generation is.
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

/// Whether two generations are the same except for number, time and inputs.
pub(super) fn is_same(last: &Generation, next: &Generation) -> bool {
    if last.tables != next.tables {
        return false;
    }
    let mut description = next.description.clone();
    description.generation = last.description.generation;
    description.applied_unix_ms = last.description.applied_unix_ms;
    description.inputs.clone_from(&last.description.inputs);
    last.description == description
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
