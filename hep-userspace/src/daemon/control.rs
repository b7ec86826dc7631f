//! What goes over the control sockets: one JSON line asks, one answers.
//!
//! `{"command":"status"}` → `{"version":1,"status":{…}}`. What changes anything is done by the
//! daemon's loop, one request after another. After `{"command":"monitor"}` lines go on as long as
//! the client listens (see [`super::feed`]). `listen` answers.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt as _, net::unix::OwnedWriteHalf, sync::oneshot, time::timeout};

use super::{feed::Monitoring, status::Report};

/// Version of requests and answers.
pub const VERSION: u32 = 1;
/// How long a client may take to ask, and the daemon to tell its status.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a process may take to say whether it hands over.
const HAND_OVER: Duration = Duration::from_secs(10);
/// How long bringing a policy into force may take.
const WORK: Duration = Duration::from_secs(120);

/// A question or an order to the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "command",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Request {
    /// Asks for the [`Report`].
    Status,
    /// Asks for events as they happen.
    Monitor,
    /// Brings a policy into force until it is confirmed or the time is over.
    Try {
        /// The directory with the policy.
        policy_dir: PathBuf,
        /// How long, milliseconds.
        timeout_ms: u64,
        /// Who asks, and whether to listen to objections.
        #[serde(flatten)]
        caller: Caller,
    },
    /// Keeps the policy on trial.
    Confirm {
        /// Only if it is this generation.
        generation: Option<u32>,
        /// Also if the policy directory changed meanwhile.
        #[serde(default)]
        force: bool,
    },
    /// Ends the trial of this generation, and nothing else if that is over already.
    Reject {
        /// The generation on trial.
        generation: u32,
    },
    /// Goes back to an earlier policy, or ends the trial.
    Rollback {
        /// To the policy that was in force at this generation; `None`: to the one before.
        generation: Option<u32>,
        /// Who asks, and whether to listen to objections.
        #[serde(flatten)]
        caller: Caller,
    },
    /// Lets only failsafes and established flows pass.
    Panic,
    /// Ends the panic, or follows the policy directory again.
    Resume {
        /// Who asks, and whether to listen to objections.
        #[serde(flatten)]
        caller: Caller,
    },
    /// Lets go of everything for the daemon that asks; only `hep boot` does so.
    HandOver,
}

/// Who asks for another policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// Apply it even if it cuts an administrator's session.
    #[serde(default)]
    pub force: bool,
    /// Both ends of the caller's SSH connection, the peer first, if it knows them.
    #[serde(default)]
    pub ssh: Option<(SocketAddr, SocketAddr)>,
    /// The asking process, as the socket tells.
    #[serde(skip)]
    pub process: Option<u32>,
}

/// What the daemon answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The daemon's part of `hep status`.
    Status(Box<Report>),
    /// Events follow.
    Monitoring(Monitoring),
    /// It is done.
    Done(Done),
    /// The policy has errors.
    Invalid(Vec<InvalidProblem>),
    /// A safety check is against it, for these reasons.
    Refused(Vec<String>),
    /// It could not be done.
    Failed(String),
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// The generation that is in force now.
    pub generation: u32,
    /// In words.
    pub text: String,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// A problem of a policy that was to be tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvalidProblem {
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// As `hep validate` prints it.
    pub text: String,
    /// As `hep validate -o json` prints it.
    pub problem: serde_json::Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    version: u32,
    #[serde(flatten)]
    answer: Answer,
}

/// An order, and where its answer goes.
#[derive(Debug)]
pub struct Order {
    /// What to do.
    pub request: Request,
    /// Takes the answer.
    pub reply: oneshot::Sender<Answer>,
}

/// Why the daemon could not be asked.
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
    /// Somebody else listens there.
    #[error("{} is a socket of user {user}, not of a daemon that root runs", path.display())]
    Impostor {
        /// The socket.
        path: PathBuf,
        /// Whose process listens.
        user: u32,
    },
    /// The answer is none of ours.
    #[error("the daemon's answer is not understood")]
    Answer(#[from] serde_json::Error),
    /// The answer is to another question.
    #[error("the daemon answers another question")]
    Unexpected,
    /// The daemon is of another version.
    #[error("the daemon answers in version {0}, not {VERSION}; restart it")]
    Version(u64),
    /// The daemon refused.
    #[error("the daemon refused: {0}")]
    Refused(String),
}

/// Where the socket is that takes questions only, beside the one for orders at `path`: `hep-read.sock`
/// beside `hep.sock`.
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

/// The line that turns a client away.
pub(super) fn refusal(text: &str) -> Vec<u8> {
    let envelope = Envelope {
        version: VERSION,
        answer: Answer::Failed(text.to_owned()),
    };
    let mut line = serde_json::to_vec(&envelope).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Answers a client; one that does not take it is given up.
pub(super) async fn send(writer: &mut OwnedWriteHalf, answer: Answer) -> io::Result<()> {
    let envelope = Envelope {
        version: VERSION,
        answer,
    };
    send_line(writer, &envelope).await
}

/// Writes one line; a client that does not take it is given up.
pub(super) async fn send_line(
    writer: &mut OwnedWriteHalf,
    line: &impl Serialize,
) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    timeout(PATIENCE, writer.write_all(&text)).await?
}

/// Asks the daemon at `path` for its report.
///
/// # Errors
///
/// [`AskError::NotRunning`] if nobody listens, else what went wrong.
pub fn ask(path: &Path) -> Result<Report, AskError> {
    match command(path, &Request::Status)? {
        Answer::Status(report) => Ok(*report),
        Answer::Failed(text) => Err(AskError::Refused(text)),
        Answer::Monitoring(_) | Answer::Done(_) | Answer::Invalid(_) | Answer::Refused(_) => {
            Err(AskError::Unexpected)
        }
    }
}

/// Asks the daemon at `path`, or orders something.
///
/// # Errors
///
/// As [`ask`].
pub fn command(path: &Path, request: &Request) -> Result<Answer, AskError> {
    let (answer, _) = open(path, request)?;
    Ok(answer)
}

/// Connects to the socket for questions, or for orders.
fn connect(path: &Path, is_question: bool) -> io::Result<std::os::unix::net::UnixStream> {
    use std::os::unix::net::UnixStream;
    if is_question {
        match UnixStream::connect(read_socket(path)) {
            // A daemon of an earlier version has only the other.
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

/// A connection to the daemon, as a client has it.
pub(super) type Connection = io::BufReader<std::os::unix::net::UnixStream>;

/// Sends a request; the answer, and the connection that more may come from.
pub(super) fn open(path: &Path, request: &Request) -> Result<(Answer, Connection), AskError> {
    use std::io::{BufRead as _, Write as _};
    let fail = |source: io::Error| {
        let path = path.to_path_buf();
        // The last two: it died while it was asked.
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
        // Whom it turns away it answers without listening.
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
