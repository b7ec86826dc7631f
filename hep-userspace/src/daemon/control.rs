//! Protocol of the control sockets: one JSON line is the request, one the answer.
//!
//! `{"command":"status"}` → `{"version":1,"status":{…}}`. Requests that change anything are handled by
//! the daemon's loop, one after another. After `{"command":"monitor"}` lines follow as long as the
//! client reads (see [`super::feed`]). The server's side is in `listen`.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt as _, net::unix::OwnedWriteHalf, sync::oneshot, time::timeout};

use super::status::Report;

/// Version of requests and answers.
pub const VERSION: u32 = 1;
/// Time limit for a client's request, and for the daemon's status.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Time limit for the answer to `HandOver`.
const HAND_OVER: Duration = Duration::from_secs(10);
/// Time limit for requests that bring a policy into force.
const WORK: Duration = Duration::from_secs(120);

/// A request to the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "command",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Request {
    /// Requests the [`Report`].
    Status,
    /// Subscribes to events.
    Monitor,
    /// Applies a policy that rolls back unless confirmed in time.
    Try {
        /// Directory with the policy.
        policy_dir: PathBuf,
        /// Length of the trial, milliseconds.
        timeout_ms: u64,
        /// The caller, and whether it overrides the preflight.
        #[serde(flatten)]
        caller: Caller,
    },
    /// Keeps the policy on trial.
    Confirm {
        /// If given, only this generation is confirmed.
        generation: Option<u32>,
        /// Confirm even if the policy directory changed meanwhile.
        #[serde(default)]
        force: bool,
    },
    /// Rolls back the trial of this generation; fails if that is not on trial.
    Reject {
        /// The generation on trial.
        generation: u32,
    },
    /// Rolls back to an earlier policy, or ends the trial.
    Rollback {
        /// Generation whose policy to bring back; `None`: the previous policy.
        generation: Option<u32>,
        /// The caller, and whether it overrides the preflight.
        #[serde(flatten)]
        caller: Caller,
    },
    /// Lets only failsafes and established flows pass.
    Panic,
    /// Ends the panic, or follows the policy directory again.
    Resume {
        /// The caller, and whether it overrides the preflight.
        #[serde(flatten)]
        caller: Caller,
    },
    /// Hands over to the daemon that sends this; only `hep boot` accepts it.
    HandOver,
}

/// The caller of a command that changes the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// Apply it even if it cuts an administrator's session.
    #[serde(default)]
    pub force: bool,
    /// Both ends of the caller's SSH connection, the peer first, if known.
    #[serde(default)]
    pub ssh: Option<(SocketAddr, SocketAddr)>,
    /// Process id of the caller, from the socket's credentials.
    #[serde(skip)]
    pub process: Option<u32>,
}

/// An answer of the daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The daemon's part of `hep status`.
    Status(Box<Report>),
    /// Events follow.
    Monitoring(Monitoring),
    /// The request succeeded.
    Done(Done),
    /// The policy has errors.
    Invalid(Vec<InvalidProblem>),
    /// A safety check refused the request, for these reasons.
    Refused(Vec<String>),
    /// The request failed.
    Failed(String),
}

/// First line that a listener receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Whether denied packets are events, too, whatever the rules log.
    pub deny_events: bool,
}

/// The result of a request that changed what is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// The generation that is in force now.
    pub generation: u32,
    /// The result as text for the operator.
    pub text: String,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}

/// A problem of a policy that was submitted for a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvalidProblem {
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// The problem as `hep validate` prints it.
    pub text: String,
    /// The problem as `hep validate -o json` prints it.
    pub problem: serde_json::Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    version: u32,
    #[serde(flatten)]
    answer: Answer,
}

/// A request for the loop, and the channel for its answer.
#[derive(Debug)]
pub struct Command {
    /// The request.
    pub request: Request,
    /// Receives the answer.
    pub reply: oneshot::Sender<Answer>,
}

/// Reason why a request to the daemon failed.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No daemon listens.
    #[error("no daemon listens at {}", .0.display())]
    NotRunning(PathBuf),
    /// The connection failed.
    #[error("ask the daemon at {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A process of another user listens on the socket.
    #[error("{} is a socket of user {user}, not of a daemon that root runs", path.display())]
    Impostor {
        /// The socket.
        path: PathBuf,
        /// User id of the listening process.
        user: u32,
    },
    /// The answer is not of this protocol.
    #[error("the daemon's answer is not understood")]
    Answer(#[from] serde_json::Error),
    /// The answer is of another kind than the request.
    #[error("the daemon answers another question")]
    Unexpected,
    /// The daemon uses another version of the protocol.
    #[error("the daemon answers in version {0}, not {VERSION}; restart it")]
    Version(u64),
    /// The daemon refused.
    #[error("the daemon refused: {0}")]
    Refused(String),
}

/// Path of the read-only socket beside the control socket at `path`: `hep-read.sock` beside
/// `hep.sock`.
#[must_use]
pub fn read_socket(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push("-read");
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// The line that is sent to a refused client.
pub(super) fn refusal(text: &str) -> Vec<u8> {
    let envelope = Envelope {
        version: VERSION,
        answer: Answer::Failed(text.to_owned()),
    };
    let mut line = serde_json::to_vec(&envelope).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Sends an answer; the client is dropped if it does not read it in time.
pub(super) async fn send(writer: &mut OwnedWriteHalf, answer: Answer) -> io::Result<()> {
    let envelope = Envelope {
        version: VERSION,
        answer,
    };
    send_line(writer, &envelope).await
}

/// Writes one line; the client is dropped if it does not read it in time.
pub(super) async fn send_line(
    writer: &mut OwnedWriteHalf,
    line: &impl Serialize,
) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    timeout(PATIENCE, writer.write_all(&text)).await?
}

/// Requests the report of the daemon at `path`.
///
/// # Errors
///
/// [`AskError::NotRunning`] if no daemon listens, else the variant of the failure.
pub fn ask(path: &Path) -> Result<Report, AskError> {
    match command(path, &Request::Status)? {
        Answer::Status(report) => Ok(*report),
        Answer::Failed(text) => Err(AskError::Refused(text)),
        Answer::Monitoring(_) | Answer::Done(_) | Answer::Invalid(_) | Answer::Refused(_) => {
            Err(AskError::Unexpected)
        }
    }
}

/// Sends a request to the daemon at `path` and returns its answer.
///
/// # Errors
///
/// [`AskError::NotRunning`] if no daemon listens, else the variant of the failure.
pub fn command(path: &Path, request: &Request) -> Result<Answer, AskError> {
    let (answer, _) = open(path, request)?;
    Ok(answer)
}

/// Connects to the read-only socket for a question, else to the control socket.
fn connect(path: &Path, is_question: bool) -> io::Result<std::os::unix::net::UnixStream> {
    use std::os::unix::net::UnixStream;
    if is_question {
        match UnixStream::connect(read_socket(path)) {
            // A daemon of an earlier version has only the control socket.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) => {}
            connected => return connected,
        }
    }
    UnixStream::connect(path)
}

/// The client's end of a connection to the daemon.
pub(super) type Connection = io::BufReader<std::os::unix::net::UnixStream>;

/// Sends a request; returns the answer, and the connection for further lines.
pub(super) fn open(path: &Path, request: &Request) -> Result<(Answer, Connection), AskError> {
    use std::io::{BufRead as _, Write as _};
    let fail = |source: io::Error| {
        let path = path.to_path_buf();
        // The last two: the daemon died during the request.
        if matches!(
            source.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
        ) {
            AskError::NotRunning(path)
        } else {
            AskError::Io { path, source }
        }
    };
    let is_question = matches!(request, Request::Status | Request::Monitor);
    let patience = match request {
        Request::Status | Request::Monitor => PATIENCE,
        Request::Try { .. }
        | Request::Confirm { .. }
        | Request::Reject { .. }
        | Request::Rollback { .. }
        | Request::Panic
        | Request::Resume { .. } => WORK,
        Request::HandOver => HAND_OVER,
    };
    let mut stream = connect(path, is_question).map_err(fail)?;
    let server = rustix::net::sockopt::socket_peercred(&stream);
    let server = server.map_err(|errno| fail(errno.into()))?.uid;
    if !server.is_root() && server != rustix::process::geteuid() {
        return Err(AskError::Impostor {
            path: path.to_path_buf(),
            user: server.as_raw(),
        });
    }
    stream.set_read_timeout(Some(patience)).map_err(fail)?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    match stream.write_all(&line) {
        // A refused client gets its answer before its request is read.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        sent => sent.map_err(fail)?,
    }
    let mut connection = io::BufReader::new(stream);
    let mut line = String::new();
    connection.read_line(&mut line).map_err(fail)?;
    if line.is_empty() {
        return Err(AskError::NotRunning(path.to_path_buf()));
    }
    let answer: serde_json::Value = serde_json::from_str(&line)?;
    match answer.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {
            let envelope: Envelope = serde_json::from_value(answer)?;
            Ok((envelope.answer, connection))
        }
        other => Err(AskError::Version(other.unwrap_or(0))),
    }
}
