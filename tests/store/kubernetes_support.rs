//! Access and resources for the suites of the API server.

use hep_tests::server::kubernetes::{Account, ApiServer};
use hep_userspace::{model::Kind, store::config::KubernetesConfig};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Access as administrator.
pub(crate) fn config(server: &ApiServer) -> KubernetesConfig {
    KubernetesConfig {
        kubeconfig: vec![server.kubeconfig(Account::Administrator)],
        ..KubernetesConfig::default()
    }
}

/// A runtime of a test.
pub(crate) fn runtime() -> Runtime {
    Runtime::new().expect("make a runtime")
}

/// A resource as Calico's clients write it.
pub(crate) fn resource(kind: Kind, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "projectcalico.org/v3", "kind": kind.name(),
        "metadata": {
            "name": name, "creationTimestamp": "2026-08-22T10:00:00Z", "labels": {"mine": "yes"},
        },
        "spec": spec,
    })
}
