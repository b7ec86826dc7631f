use std::fs;

use serde_json::json;

use super::*;
use crate::resources::{Backing, Resources};

/// A directory of files that goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("hep-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).expect("a directory");
        for (file, text) in files {
            fs::write(path.join(file), text).expect("a file");
        }
        Self(path)
    }

    fn client(&self) -> DirectoryClient {
        DirectoryClient::new(self.0.clone(), None)
    }

    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.0.join(file)).ok()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(future)
}

const TWO: &str = "# first\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet # set\nmetadata: {name: a}\n\
                   spec:\n  nets: [192.0.2.1]\n---\n# second\napiVersion: projectcalico.org/v3\n\
                   kind: GlobalNetworkSet\nmetadata:\n  name: b\nspec:\n  nets: # all\n  - 192.0.2.2\n";

fn set(name: &str, net: &str) -> Value {
    json!({"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet", "metadata": {"name": name},
        "spec": {"nets": [net]}})
}

#[test]
fn a_change_touches_one_resource_and_no_other_byte() {
    let directory = Directory::new("change", &[("two.yaml", TWO)]);
    let client = directory.client();
    let resources = Resources::new(&client, Backing::Directory);
    let kind = Kind::GlobalNetworkSet;
    run(resources.replace(kind, &set("a", "192.0.2.9"))).expect("it is replaced");
    let text = directory.text("two.yaml").expect("it is there");
    let (first, second) = text.split_once("---\n").expect("two documents");
    assert!(
        first.starts_with("# first\n") && first.contains("192.0.2.9"),
        "{first}"
    );
    assert_eq!(second, TWO.split_once("---\n").expect("two documents").1);
    let stale = json!({"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet",
        "metadata": {"name": "b", "resourceVersion": "0"}, "spec": {}});
    assert_eq!(
        run(resources.replace(kind, &stale)).map(drop),
        Err(ClientError::Conflict(ResourceId::global(kind, "b")))
    );
    run(resources.delete(&ResourceId::global(kind, "a"), None, None)).expect("it is deleted");
    assert_eq!(directory.text("two.yaml").as_deref(), Some(second));
    run(resources.delete(&ResourceId::global(kind, "b"), None, None)).expect("it is deleted");
    assert_eq!(directory.text("two.yaml"), None);
}

#[test]
fn a_new_resource_gets_a_file_and_an_invalid_one_none() {
    let directory = Directory::new("create", &[("two.yaml", TWO)]);
    let client = directory.client();
    let resources = Resources::new(&client, Backing::Directory);
    let kind = Kind::GlobalNetworkSet;
    run(resources.create(kind, &set("c", "192.0.2.3"))).expect("it is created");
    assert_eq!(
        directory.text("globalnetworkset-c.yaml").as_deref(),
        Some(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata:\n  name: c\nspec:\n  nets:\n  - 192.0.2.3\n"
        )
    );
    assert!(matches!(
        run(resources.create(kind, &set("a", "192.0.2.3"))),
        Err(ClientError::AlreadyExists { .. })
    ));
    let endpoint = json!({"apiVersion": "projectcalico.org/v3", "kind": "HostEndpoint",
        "metadata": {"name": "h"}, "spec": {"node": "n", "interfaceName": "eth0", "profiles": ["gone"]}});
    assert!(matches!(
        run(resources.create(Kind::HostEndpoint, &endpoint)),
        Err(ClientError::Invalid(_))
    ));
    assert_eq!(directory.text("hostendpoint-h.yaml"), None);
    assert_eq!(
        run(resources.list(kind, None)).map(|it| it.objects.len()),
        Ok(3)
    );
}
