//! From the embedded object to loaded programs.

pub(crate) mod decisions;
pub(crate) mod features;
pub(crate) mod kernel;
pub(crate) mod options;
pub(crate) mod sender;
pub(crate) mod test_run;
