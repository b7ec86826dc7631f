//! What only the daemon knows, and the socket that tells it.
//!
//! One JSON line asks, one answers: `{"command":"status"}` → [`Report`]; after
//! `{"command":"monitor"}` lines go on as long as the client listens (see [`super::feed`]).

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    time::timeout,
};

use super::feed::{Feed, Monitoring};
use crate::validate::Problem;

/// Longest request, bytes.
const MAX_REQUEST: u64 = 64 * 1024;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The daemon's own part of `hep status`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Process number.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// Unix time of the start, milliseconds.
    pub started_unix_ms: u64,
    /// This node's name.
    pub node: String,
    /// The policy directory.
    pub policy_dir: PathBuf,
    /// Policy is in force and interfaces are attached as it says.
    pub ready: bool,
    /// What is in force is not what the directory says, and why.
    pub degraded: Option<String>,
    /// The directory's present state is not obeyed, and why.
    pub holding: Option<String>,
    /// Unix time of the last load that was tried, milliseconds.
    pub last_load_unix_ms: u64,
    /// Problems of the last load, warnings included.
    pub problems: Vec<ReportedProblem>,
}

/// A problem of the last load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedProblem {
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// Stable code.
    pub code: String,
    /// File.
    pub file: String,
    /// Line, from 1; 0 if there is none.
    pub line: u32,
    /// Column, from 1; 0 if there is none.
    pub column: u32,
    /// Kind of the resource.
    pub kind: String,
    /// Name of the resource.
    pub name: String,
    /// Path of the field.
    pub field: String,
    /// All of it as one line.
    pub text: String,
}

impl From<&Problem> for ReportedProblem {
    fn from(problem: &Problem) -> Self {
        Self {
            severity: problem.severity.name().to_owned(),
            code: problem.code.to_owned(),
            file: problem.position.file.display().to_string(),
            line: problem.position.line,
            column: problem.position.column,
            kind: problem.kind.clone(),
            name: problem.name.clone(),
            field: problem.field.clone(),
            text: problem.to_string(),
        }
    }
}

/// The report, shared between the loop that writes it and the socket that tells it.
#[derive(Clone, Debug, Default)]
pub struct SharedReport(Arc<Mutex<Report>>);

impl SharedReport {
    /// A report to begin with.
    #[must_use]
    pub fn new(report: Report) -> Self {
        Self(Arc::new(Mutex::new(report)))
    }

    /// The report, to read or change.
    pub fn lock(&self) -> MutexGuard<'_, Report> {
        // Fields are set one by one: a writer that panicked left no broken state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question to the daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase")]
pub(super) enum Request {
    /// Asks for the [`Report`].
    Status,
    /// Asks for events as they happen.
    Monitor,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Answer {
    Status(Box<Report>),
    Monitoring(Monitoring),
    Error(String),
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
    /// The answer is none of ours.
    #[error("the daemon's answer is not understood")]
    Answer(#[from] serde_json::Error),
    /// The answer is to another question.
    #[error("the daemon answers another question")]
    Unexpected,
    /// The daemon refused.
    #[error("the daemon refused: {0}")]
    Refused(String),
}

/// Makes the socket, for root only, in place of one that a dead daemon left.
///
/// # Errors
///
/// What the system said.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until the runtime ends.
pub async fn serve(listener: UnixListener, report: SharedReport, feed: Feed) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (report, feed) = (report.clone(), feed.clone());
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &report, &feed).await {
                        log::debug!("status socket: {error}");
                    }
                });
            }
            Err(error) => {
                log::warn!("status socket: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, report: &SharedReport, feed: &Feed) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(MAX_REQUEST));
    let mut line = String::new();
    timeout(PATIENCE, reader.read_line(&mut line)).await??;
    let request = serde_json::from_str(&line);
    let answer = match &request {
        Ok(Request::Status) => Answer::Status(Box::new(report.lock().clone())),
        Ok(Request::Monitor) => return feed.follow(&mut reader, &mut writer).await,
        Err(error) => Answer::Error(error.to_string()),
    };
    send(&mut writer, &answer).await
}

/// Writes one line; a client that does not take it is given up.
pub(super) async fn send(writer: &mut OwnedWriteHalf, answer: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(answer)?;
    text.push(b'\n');
    timeout(PATIENCE, writer.write_all(&text)).await?
}

/// Asks the daemon at `path` for its report.
///
/// # Errors
///
/// [`AskError::NotRunning`] if nobody listens, else what went wrong.
pub fn ask(path: &Path) -> Result<Report, AskError> {
    let (answer, _) = request(path, &Request::Status)?;
    match answer {
        Answer::Status(report) => Ok(*report),
        Answer::Monitoring(_) => Err(AskError::Unexpected),
        Answer::Error(text) => Err(AskError::Refused(text)),
    }
}

/// A connection to the daemon, as a client has it.
pub(super) type Connection = io::BufReader<std::os::unix::net::UnixStream>;

/// Sends a request; the first line of the answer, and the connection that more may come from.
pub(super) fn request(path: &Path, request: &Request) -> Result<(Answer, Connection), AskError> {
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
    let mut stream = std::os::unix::net::UnixStream::connect(path).map_err(fail)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text).map_err(fail)?;
    let mut connection = io::BufReader::new(stream);
    let mut line = String::new();
    connection.read_line(&mut line).map_err(fail)?;
    if line.is_empty() {
        return Err(AskError::NotRunning(path.to_path_buf()));
    }
    Ok((serde_json::from_str(&line)?, connection))
}

/// The wall clock, milliseconds since 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| {
            u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
        })
}
