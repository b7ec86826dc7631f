//! Configuration of clients of an API server.

use std::{fmt::Write as _, path::Path};

/// A kubeconfig with one cluster and one user.
pub(super) fn kubeconfig(url: &str, authority: &Path, token: &str) -> String {
    let mut text = String::from("apiVersion: v1\nkind: Config\ncurrent-context: tests\n");
    let authority = authority.display();
    for line in [
        format!(
            "clusters: [{{name: tests, cluster: {{server: '{url}', certificate-authority: '{authority}'}}}}]"
        ),
        format!("users: [{{name: tests, user: {{token: '{token}'}}}}]"),
        "contexts: [{name: tests, context: {cluster: tests, user: tests}}]".to_owned(),
    ] {
        let _infallible = writeln!(text, "{line}");
    }
    text
}
