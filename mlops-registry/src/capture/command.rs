//! A foreign program's output, bounded in time and in bytes.
//!
//! The child gets a process group of its own, so that its children end with it; it never reads our
//! standard input and never writes to our terminal.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes kept of standard error: enough for the reason.
const MAX_STDERR_BYTES: usize = 4_096;
/// How often to look whether a child that closed its output has ended.
const POLL: Duration = Duration::from_millis(1);

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It said that all was well.
    Success,
    /// It ended with this status, or by a signal.
    Failed(Option<i32>),
    /// It was killed because it wrote more than it might; what it wrote until then is kept.
    TooLong,
    /// It was killed because it took too long; its output is lost.
    TimedOut,
}

/// What a child left behind.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) end: End,
    /// At most as many bytes as allowed.
    pub(super) stdout: Vec<u8>,
    /// The first 4 KiB.
    pub(super) stderr: String,
}

/// Runs `command` until `deadline` at the latest, keeping at most `max_bytes` of its output.
///
/// # Errors
/// Those of starting it. How it ended is not an error here.
pub(super) fn run(
    command: &mut Command,
    deadline: Instant,
    max_bytes: usize,
) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = Running(command.spawn()?);
    let stdout = child.0.stdout.take();
    let stderr = child.0.stderr.take();
    let stdout = read_aside(stdout, max_bytes, false)?;
    let stderr = read_aside(stderr, MAX_STDERR_BYTES, true)?;

    let empty = |end| Output { end, stdout: Vec::new(), stderr: String::new() };
    let (bytes, over) = match stdout.recv_timeout(until(deadline)) {
        Ok(read) => read,
        Err(RecvTimeoutError::Timeout) => return Ok(empty(End::TimedOut)),
        Err(RecvTimeoutError::Disconnected) => (Vec::new(), false),
    };
    if over {
        return Ok(Output { stdout: bytes, ..empty(End::TooLong) });
    }
    let Some(status) = child.wait(deadline)? else {
        return Ok(empty(End::TimedOut));
    };
    let end = if status.success() { End::Success } else { End::Failed(status.code()) };
    let (reason, _) = stderr.recv_timeout(until(deadline)).unwrap_or_default();
    Ok(Output { end, stdout: bytes, stderr: String::from_utf8_lossy(&reason).trim().to_owned() })
}

/// A child that does not survive its owner.
struct Running(Child);

impl Running {
    fn wait(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if until(deadline).is_zero() {
                return Ok(None);
            }
            thread::park_timeout(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it was waited for, its number may belong to somebody else.
        if matches!(self.0.try_wait(), Ok(None)) {
            #[cfg(unix)]
            if let Some(group) =
                i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw)
            {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Reads at most `max` bytes in a thread of its own, and says whether there were more. With `drain`
/// the rest is read and thrown away, so that the writer is not stopped.
fn read_aside<R: Read + Send + 'static>(
    from: Option<R>,
    max: usize,
    drain: bool,
) -> io::Result<Receiver<(Vec<u8>, bool)>> {
    let (sender, receiver) = sync_channel(1);
    let Some(mut from) = from else {
        return Ok(receiver);
    };
    thread::Builder::new().name("mlops-capture".into()).spawn(move || {
        let mut bytes = Vec::new();
        // A read that fails ends the output; how the child ended says whether it is whole.
        let _ = from.by_ref().take(max as u64 + 1).read_to_end(&mut bytes);
        let over = bytes.len() > max;
        bytes.truncate(max);
        if over && drain {
            let _ = io::copy(&mut from, &mut io::sink());
        }
        let _ = sender.send((bytes, over));
    })?;
    Ok(receiver)
}

fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The first file `name` on `path`, the value of `PATH`. Relative entries are passed over, so that
/// no program of the current directory is ever run.
pub(super) fn find_on(path: &std::ffi::OsStr, name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(&name))
        .find(|file| file.is_file())
}
