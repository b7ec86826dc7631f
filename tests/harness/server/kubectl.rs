//! Reading, writing and administration of an API server by its own `kubectl`.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{
    installed::workspace,
    kubernetes::{Account, ApiServer},
};
use crate::hep::Output;

/// API groups that Calico's resources are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiGroup {
    /// `crd.projectcalico.org/v1`
    Crd,
    /// `projectcalico.org/v3`
    V3,
}

impl ApiGroup {
    /// Every group.
    pub const ALL: [Self; 2] = [Self::Crd, Self::V3];

    /// Group and version, as objects have them.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Crd => "crd.projectcalico.org/v1",
            Self::V3 => "projectcalico.org/v3",
        }
    }

    /// The group without its version.
    #[must_use]
    pub fn name(self) -> &'static str {
        let version = self.version();
        version.split_once('/').map_or(version, |(name, _)| name)
    }

    /// Our definitions of its kinds.
    fn definitions(self) -> PathBuf {
        workspace("hep-userspace/deploy/crds").join(format!("{}.yaml", self.name()))
    }
}

impl ApiServer {
    /// Runs `kubectl` as administrator to its end.
    ///
    /// # Panics
    ///
    /// If it fails.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut command = self.kubectl(arguments);
        let output = self.place().run(|| Output::by(&mut command));
        output.exits(0).stdout
    }

    /// Runs `kubectl` with a text as its input, for `-f -`.
    ///
    /// # Panics
    ///
    /// If it cannot be run.
    #[must_use]
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.kubectl(arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.place().run(|| fed(&mut command, input))
    }

    /// Applies objects: YAML or JSON.
    ///
    /// # Panics
    ///
    /// If the server refuses one.
    #[track_caller]
    pub fn apply(&self, objects: &str) {
        let arguments = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        drop(self.run_with(&arguments, objects).exits(0));
    }

    /// Deletes an object: its plural or short name, perhaps with its group, and its name.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn delete(&self, plural: &str, name: &str) {
        drop(self.run(&["delete", plural, name]));
    }

    /// An object; `None` if there is none.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    #[track_caller]
    #[must_use]
    pub fn get(&self, plural: &str, name: &str) -> Option<Value> {
        let text = self.run(&["get", "--ignore-not-found", "-o", "json", plural, name]);
        (!text.is_empty()).then(|| serde_json::from_str(&text).expect("JSON of an object"))
    }

    /// Serves Calico's kinds of a group, by our definitions.
    ///
    /// # Panics
    ///
    /// If the server refuses one.
    #[track_caller]
    pub fn install_kinds(&self, group: ApiGroup) {
        let path = group.definitions();
        let path = path.to_string_lossy();
        drop(self.run(&["apply", "--server-side", "-f", &path]));
        drop(self.run(&["wait", "--for=condition=Established", "-f", &path]));
    }

    /// Serves Calico's kinds of a group no more; their objects are deleted first.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    #[track_caller]
    pub fn remove_kinds(&self, group: ApiGroup) {
        let path = group.definitions();
        drop(self.run(&["delete", "-f", &path.to_string_lossy()]));
    }

    /// Lets [`Account::Agent`] do these verbs on every resource of these groups; `""` is the core group.
    /// Replaces what it was granted before.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    #[track_caller]
    pub fn grant(&self, groups: &[&str], verbs: &[&str]) {
        let agent = Account::Agent.name();
        self.apply(&format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {agent}}}\n\
             rules: [{{apiGroups: {groups:?}, resources: ['*'], verbs: {verbs:?}}}]\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {agent}}}\n\
             subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {agent}}}]\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {agent}}}\n"
        ));
    }

    /// Lets [`Account::Agent`] read Calico's kinds of both groups, and Kubernetes' own that rules can name.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    #[track_caller]
    pub fn grant_reading(&self) {
        let [crd, v3] = ApiGroup::ALL.map(ApiGroup::name);
        let groups = [crd, v3, "", "discovery.k8s.io", "networking.k8s.io"];
        self.grant(&groups, &["get", "list", "watch"]);
    }

    /// Makes a service account, and a token for it that expires after the shortest time that the server
    /// grants, ten minutes.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    #[track_caller]
    #[must_use]
    pub fn service_account_token(&self, name: &str) -> String {
        drop(self.run(&["create", "serviceaccount", name]));
        let token = self.run(&["create", "token", name, "--duration=10m"]);
        token.trim().to_owned()
    }
}

/// Runs a command with an input.
fn fed(command: &mut Command, input: &str) -> Output {
    let line = format!("{command:?}");
    let mut child = command.spawn().expect("run kubectl");
    let mut pipe = child.stdin.take().expect("piped");
    // A command that fails early does not read everything.
    drop(pipe.write_all(input.as_bytes()));
    drop(pipe);
    let output = child.wait_with_output().expect("wait for kubectl");
    Output {
        command: line,
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
