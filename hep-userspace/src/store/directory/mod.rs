//! Policy as files below a directory: reading, following and writing them.

mod error;
mod read;
mod tracker;
mod trusted;
mod watch;
mod way;
mod write;

pub use error::DirectoryError;
pub use read::{
    DirectoryReader, MAX_DIRECTORY_BYTES, MAX_DIRECTORY_DEPTH, MAX_FILE_BYTES, MAX_FILES,
    ReadError, directory as read, file as read_file, is_policy_name, readable as read_what_can_be,
};
pub use trusted::{Trust, check as check_trusted};
pub use watch::Watch;
