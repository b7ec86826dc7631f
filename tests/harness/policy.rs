//! Resources as text, and the directory they are put in.
//!
//! A resource is written with the inside of its `spec` in YAML's flow style, so that a table of
//! tests can hold one in a line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// This node's name in all tests.
pub const NODE: &str = "h1";

/// Any resource: kind, name, labels in flow style, the inside of its spec.
#[must_use]
pub fn resource(kind: &str, name: &str, labels: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: projectcalico.org/v3, kind: {kind}, \
         metadata: {{name: {name}, labels: {{{labels}}}}}, spec: {{{spec}}}}}\n"
    )
}

/// A HostEndpoint of this node.
#[must_use]
pub fn endpoint(name: &str, spec: &str) -> String {
    resource(
        "HostEndpoint",
        name,
        "role: host",
        &format!("node: {NODE}, {spec}"),
    )
}

/// The HostEndpoint of the worked cases: `h1-eth0`, without profiles.
#[must_use]
pub fn eth0() -> String {
    endpoint("h1-eth0", "interfaceName: eth0")
}

/// The HostEndpoint `h1-eth0`, with the profile `projectcalico-default-allow`.
#[must_use]
pub fn eth0_default_allow() -> String {
    endpoint(
        "h1-eth0",
        "interfaceName: eth0, profiles: [projectcalico-default-allow]",
    )
}

/// A GlobalNetworkPolicy.
#[must_use]
pub fn policy(name: &str, spec: &str) -> String {
    resource("GlobalNetworkPolicy", name, "", spec)
}

/// A StagedGlobalNetworkPolicy.
#[must_use]
pub fn staged_policy(name: &str, spec: &str) -> String {
    resource("StagedGlobalNetworkPolicy", name, "", spec)
}

/// A Tier.
#[must_use]
pub fn tier(name: &str, spec: &str) -> String {
    resource("Tier", name, "", spec)
}

/// A Profile.
#[must_use]
pub fn profile(name: &str, spec: &str) -> String {
    resource("Profile", name, "", spec)
}

/// A GlobalNetworkSet with these labels and members.
#[must_use]
pub fn network_set(name: &str, labels: &str, nets: &[String]) -> String {
    resource(
        "GlobalNetworkSet",
        name,
        labels,
        &format!("nets: ['{}']", nets.join("', '")),
    )
}

/// The FelixConfiguration `default`.
#[must_use]
pub fn felix(spec: &str) -> String {
    resource("FelixConfiguration", "default", "", spec)
}

/// A FelixConfiguration without any failsafe port.
#[must_use]
pub fn no_failsafe() -> String {
    felix("failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []")
}

/// Several resources as one text of many documents.
#[must_use]
pub fn documents(resources: &[String]) -> String {
    resources.join("---\n")
}

/// A policy directory, removed on drop.
#[derive(Debug)]
pub struct Directory {
    root: TempDir,
}

impl Directory {
    /// An empty directory.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    #[must_use]
    pub fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("hep-policy-")
            .tempdir()
            .expect("make a policy directory");
        Self { root }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file whole: beside the directory first, then renamed into place.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        let staging = self.path().join(format!(".{name}.new"));
        fs::write(&staging, text).expect("write a policy file");
        fs::rename(&staging, &path).expect("rename a policy file");
        path
    }

    /// Removes a file.
    ///
    /// # Panics
    ///
    /// If it is not there.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("remove a policy file");
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}
