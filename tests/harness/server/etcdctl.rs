//! Reading, writing and administration of a cluster by Debian's `etcdctl`, which serves either version.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::etcd::{EtcdServer, Transport};
use crate::{hep::Output, program::program};

/// Name and password of the administrator that [`EtcdServer::require_users`] makes.
const ADMINISTRATOR: &str = "root:administrator";

/// Permission of a user below a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and watch
    Read,
    /// Read, watch and write
    ReadWrite,
}

/// A user, with a role of the same name.
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    /// The name.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
    /// Keys begin so.
    pub prefix: &'a str,
    /// The permission.
    pub access: Access,
}

impl EtcdServer {
    /// `etcdctl` with the rights of an administrator.
    #[must_use]
    pub fn etcdctl(&self, arguments: &[&str]) -> Command {
        self.etcdctl_at(&self.endpoints(), arguments)
    }

    fn etcdctl_at(&self, endpoints: &[String], arguments: &[&str]) -> Command {
        let mut command = program("etcdctl");
        command.env("ETCDCTL_API", "3");
        command.args(["--endpoints", &endpoints.join(",")]);
        if self.options.transport != Transport::Plain {
            command.arg("--cacert").arg(self.authority.certificate());
        }
        if self.options.transport == Transport::MutualTls {
            command.arg("--cert").arg(&self.tool.certificate);
            command.arg("--key").arg(&self.tool.key);
        }
        if let Some(administrator) = &self.administrator {
            command.args(["--user", administrator]);
        }
        command.args(arguments);
        command
    }

    /// Runs `etcdctl` to its end.
    ///
    /// # Panics
    ///
    /// If it fails.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut command = self.etcdctl(arguments);
        let output = self.options.place.run(|| Output::by(&mut command));
        output.exits(0).stdout
    }

    /// Runs `etcdctl` to its end and reads the JSON that it prints.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--write-out=json"];
        all.extend(arguments);
        let text = self.run(&all);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }

    /// Writes a value; the revision of the write.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    pub fn put(&self, key: &str, value: &str) -> i64 {
        let mut command = self.etcdctl(&["--write-out=json", "put", key]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let output = self.options.place.run(|| {
            let mut child = command.spawn().expect("run etcdctl");
            // The pipe ends with this statement, and the value with it.
            let written = child.stdin.take().expect("piped");
            drop({ written }.write_all(value.as_bytes()));
            child.wait_with_output().expect("wait for etcdctl")
        });
        let text = String::from_utf8_lossy(&output.stdout);
        let answer: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("put {key}: {error}: {output:?}"));
        revision_of(&answer)
    }

    /// The value of a key.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        let text = self.run(&["get", key, "--print-value-only"]);
        text.strip_suffix('\n').map(str::to_owned)
    }

    /// Removes a key; whether it was there.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    pub fn delete(&self, key: &str) -> bool {
        self.run(&["del", key]).trim() == "1"
    }

    /// Removes all keys that begin so; how many there were.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    pub fn delete_all(&self, prefix: &str) -> usize {
        let count = self.run(&["del", "--prefix", prefix]);
        count.trim().parse().expect("a count")
    }

    /// The keys that begin so, in order.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    #[must_use]
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let text = self.run(&["get", "--prefix", prefix, "--keys-only"]);
        let keys = text.lines().filter(|line| !line.is_empty());
        keys.map(str::to_owned).collect()
    }

    /// The revision of the last write.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    #[must_use]
    pub fn revision(&self) -> i64 {
        revision_of(&self.json(&["get", "/"]))
    }

    /// The revision of the last write to a key, which Calico calls its resource version.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    #[must_use]
    pub fn modified(&self, key: &str) -> Option<i64> {
        self.json(&["get", key])["kvs"][0]["mod_revision"].as_i64()
    }

    /// Removes the history before the last write, so that no watch can resume there.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    pub fn compact(&self) {
        let revision = self.revision().to_string();
        drop(self.run(&["compaction", "--physical", &revision]));
    }

    /// Saves a snapshot for [`EtcdServer::restore`].
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    #[must_use]
    pub fn save(&self, name: &str) -> PathBuf {
        let path = self.scratch(name);
        // A snapshot is taken of one member.
        let mut command = self.etcdctl_at(&self.endpoints()[..1], &["snapshot", "save"]);
        command.arg(&path);
        drop(self.options.place.run(|| Output::by(&mut command).exits(0)));
        path
    }

    /// Makes users, and an administrator for the methods here; from now on nobody else is served.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    pub fn require_users(&mut self, users: &[User<'_>]) {
        drop(self.run(&["user", "add", ADMINISTRATOR]));
        drop(self.run(&["user", "grant-role", "root", "root"]));
        for user in users {
            self.add_user(user);
        }
        drop(self.run(&["auth", "enable"]));
        self.administrator = Some(ADMINISTRATOR.to_owned());
    }

    /// Makes a user.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    pub fn add_user(&self, user: &User<'_>) {
        let login = format!("{}:{}", user.name, user.password);
        drop(self.run(&["user", "add", &login]));
        drop(self.run(&["role", "add", user.name]));
        drop(self.run(&["user", "grant-role", user.name, user.name]));
        self.grant(user);
    }

    /// Gives a user the permission, again after [`EtcdServer::revoke`].
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    pub fn grant(&self, user: &User<'_>) {
        let access = match user.access {
            Access::Read => "read",
            Access::ReadWrite => "readwrite",
        };
        let grant = ["role", "grant-permission", "--prefix=true"];
        let grant: Vec<_> = grant
            .into_iter()
            .chain([user.name, access, user.prefix])
            .collect();
        drop(self.run(&grant));
    }

    /// Takes a user's permission.
    ///
    /// # Panics
    ///
    /// If etcd refuses.
    #[track_caller]
    pub fn revoke(&self, user: &User<'_>) {
        let revoke = ["role", "revoke-permission", "--prefix=true"];
        let revoke: Vec<_> = revoke.into_iter().chain([user.name, user.prefix]).collect();
        drop(self.run(&revoke));
    }
}

fn revision_of(answer: &Value) -> i64 {
    let revision = answer["header"]["revision"].as_i64();
    revision.expect("every answer has a revision")
}
