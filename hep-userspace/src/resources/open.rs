//! Opening of any store.

use std::path::PathBuf;

use super::{Backing, DirectoryClient, Resources};
use crate::store::{
    self, Choice,
    objects::{Client, ClientError},
};

/// An open store.
pub struct Access {
    client: Box<dyn Client>,
    backing: Backing,
}

/// Opens a store; new resources of a directory are added to `new_file`, if one is given. Needs a tokio
/// runtime.
///
/// # Errors
///
/// As of the store.
pub async fn open(choice: &Choice, new_file: Option<PathBuf>) -> Result<Access, ClientError> {
    let (client, backing): (Box<dyn Client>, Backing) = match choice {
        Choice::Directory(path) => {
            let client = DirectoryClient::new(path.clone(), new_file);
            (Box::new(client), Backing::Directory)
        }
        Choice::Etcd(_) => (store::open(choice).await?, Backing::Etcd),
        Choice::Kubernetes(_) => (store::open(choice).await?, Backing::Kubernetes),
    };
    Ok(Access { client, backing })
}

impl Access {
    /// Its resources.
    #[must_use]
    pub fn resources(&self) -> Resources<'_> {
        Resources::new(&*self.client, self.backing)
    }
}
