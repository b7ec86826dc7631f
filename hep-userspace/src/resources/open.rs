//! Opening of any store.

use std::path::PathBuf;

use super::{DirectoryClient, Resources};
use crate::store::{
    self, Choice,
    objects::{Client, ClientError},
};

/// An open store.
pub struct Access {
    client: Box<dyn Client>,
    is_directory: bool,
}

/// Opens a store; new resources of a directory are added to `new_file`, if one is given. Needs a tokio
/// runtime.
///
/// # Errors
///
/// As of the store.
pub async fn open(choice: &Choice, new_file: Option<PathBuf>) -> Result<Access, ClientError> {
    if let Choice::Directory(path) = choice {
        return Ok(Access {
            client: Box::new(DirectoryClient::new(path.clone(), new_file)),
            is_directory: true,
        });
    }
    Ok(Access {
        client: store::open(choice).await?,
        is_directory: false,
    })
}

impl Access {
    /// Its resources.
    #[must_use]
    pub fn resources(&self) -> Resources<'_> {
        if self.is_directory {
            Resources::of_directory(&*self.client)
        } else {
            Resources::new(&*self.client)
        }
    }
}
