//! The daemon's sockets: the control socket, and beside it a read-only one, so that programs that only
//! read never hold a socket that could change the policy.
//!
//! Both accept root only, by the file's mode from the moment it exists, and by the peer's user id from
//! the kernel, since a mode can be changed by mistake.

use std::{
    fs::{self, DirBuilder},
    future::Future,
    io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _},
    path::Path,
    time::Duration,
};

use rustix::{
    fs::{Mode, fchmod},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    control::{Answer, Command, PATIENCE, Request, read_socket, refusal, send},
    feed::Feed,
    status::SharedReport,
};

/// Longest request, bytes.
const MAX_REQUEST: u64 = 64 * 1024;
/// Most connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// The two listening sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    commands: UnixListener,
    questions: UnixListener,
}

/// The requests of the read-only socket, none of which changes anything.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase")]
enum Question {
    Status,
    Monitor,
}

impl Sockets {
    /// Creates the sockets, for root only, in place of those that a dead daemon left: the control socket at
    /// `path`, the read-only one at [`read_socket`].
    ///
    /// # Errors
    ///
    /// The error of the system call that failed.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(parent)?;
        }
        Ok(Self {
            commands: bind(path)?,
            questions: bind(&read_socket(path))?,
        })
    }

    /// Answers requests until the runtime ends; the daemon's loop handles those that change anything.
    pub(super) async fn serve(
        self,
        report: SharedReport,
        feed: Feed,
        commands: mpsc::Sender<Command>,
    ) {
        let questions = accept(self.questions, |stream, _| {
            let (report, feed) = (report.clone(), feed.clone());
            async move { answer_question(stream, &report, &feed).await }
        });
        let commands = accept(self.commands, |stream, process| {
            let (report, feed, commands) = (report.clone(), feed.clone(), commands.clone());
            async move { handle(stream, process, &report, &feed, &commands).await }
        });
        tokio::join!(questions, commands);
    }
}

/// Creates a socket that only root may connect to.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => {
            let text = "something else than a socket is there";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The kernel creates the file with the socket's own mode, so it never has another.
    fchmod(&socket, Mode::from_raw_mode(0o600))?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
}

/// Serves each client that is root in a task of its own; others are refused.
async fn accept<F>(listener: UnixListener, converse: impl Fn(UnixStream, Option<u32>) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        let accepted = listener.accept().await;
        let accepted = accepted.and_then(|(stream, _)| Ok((stream.peer_cred()?, stream)));
        match accepted {
            Ok((peer, stream)) if peer.uid() == 0 => {
                let process = peer.pid().and_then(|pid| u32::try_from(pid).ok());
                let conversation = converse(stream, process);
                tokio::spawn(async move {
                    if let Err(error) = conversation.await {
                        log::debug!("control socket: {error}");
                    }
                });
            }
            Ok((peer, stream)) => {
                log::debug!("control socket: user {} was turned away", peer.uid());
                // The line fits into the empty buffer, unless the client is gone.
                drop(stream.try_write(&refusal("the daemon answers root alone")));
            }
            Err(error) => {
                log::warn!("control socket: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Reads a client's request; returns it and the rest of the stream.
async fn request(reader: OwnedReadHalf) -> io::Result<(String, impl tokio::io::AsyncRead + Unpin)> {
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(MAX_REQUEST));
    timeout(PATIENCE, reader.read_line(&mut line)).await??;
    Ok((line, reader))
}

async fn answer_question(stream: UnixStream, report: &SharedReport, feed: &Feed) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let (line, mut reader) = request(reader).await?;
    match serde_json::from_str(&line) {
        Ok(Question::Status) => tell_status(&mut writer, report).await,
        Ok(Question::Monitor) => feed.follow(&mut reader, &mut writer).await,
        Err(error) => {
            let text = format!("this socket takes questions only: {error}");
            send(&mut writer, Answer::Failed(text)).await
        }
    }
}

async fn tell_status(writer: &mut OwnedWriteHalf, report: &SharedReport) -> io::Result<()> {
    let report = report.lock().clone();
    send(writer, Answer::Status(Box::new(report))).await
}

async fn handle(
    stream: UnixStream,
    process: Option<u32>,
    report: &SharedReport,
    feed: &Feed,
    commands: &mpsc::Sender<Command>,
) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let (line, mut reader) = request(reader).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(Request::Status) => return tell_status(&mut writer, report).await,
        Ok(Request::Monitor) => return feed.follow(&mut reader, &mut writer).await,
        Ok(mut request) => {
            if let Request::Try { caller, .. }
            | Request::Rollback { caller, .. }
            | Request::Resume { caller } = &mut request
            {
                caller.process = process;
            }
            command(request, commands).await
        }
        Err(error) => Answer::Failed(format!("the request is not understood: {error}")),
    };
    send(&mut writer, answer).await
}

async fn command(request: Request, commands: &mpsc::Sender<Command>) -> Answer {
    let (reply, answer) = oneshot::channel();
    let stopping = || Answer::Failed("the daemon is stopping".to_owned());
    if commands.send(Command { request, reply }).await.is_err() {
        return stopping();
    }
    answer.await.unwrap_or_else(|_gone| stopping())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    /// The mode is the socket's own, whatever the process's mask lets through, and nothing else is
    /// removed to make room.
    #[test]
    fn sockets_are_roots_from_the_start_and_replace_only_sockets() {
        let scratch = std::env::temp_dir().join(format!("hep-listen-{}", std::process::id()));
        fs::create_dir_all(&scratch).expect("can be made");
        let path = scratch.join("hep.sock");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("can be made");
        // A mask of this thread's own.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).expect("threads may");
        let mask = rustix::process::umask(Mode::empty());
        for _twice in 0..2 {
            let made = runtime.block_on(async { Sockets::make(&path) });
            drop(made.expect("can be made"));
            for path in [path.clone(), scratch.join("hep-read.sock")] {
                let metadata = fs::symlink_metadata(path).expect("is there");
                assert_eq!(metadata.mode() & 0o7777, 0o600);
            }
        }
        rustix::process::umask(mask);
        for name in ["file", "link"] {
            let path = scratch.join(name);
            match name {
                "file" => fs::write(&path, "precious").expect("can be written"),
                _ => std::os::unix::fs::symlink("file", &path).expect("can be made"),
            }
            let made = runtime.block_on(async { Sockets::make(&path) });
            let kind = made.expect_err("is no socket").kind();
            assert_eq!(kind, io::ErrorKind::AlreadyExists);
        }
        let text = fs::read_to_string(scratch.join("link")).expect("is there");
        assert_eq!(text, "precious");
        fs::remove_dir_all(scratch).expect("can be removed");
    }
}
