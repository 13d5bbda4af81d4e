//! Delivery to a program: the event on its standard input, its exit code for an answer.
//!
//! The program gets a process group of its own, so that its children end with it when it takes too
//! long, and none of our environment, which is where secrets are. It need not read its input.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStderr, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use mlops_core::{Error, Result};

use super::message::Message;
use super::subscription::Command;

/// How much is kept of the end of standard error, in bytes.
const TAIL_BYTES: usize = 2_048;
/// How often to look whether the program has ended, when its output does not tell.
const POLL: Duration = Duration::from_millis(20);
/// How long to wait for what a program wrote that has ended; its children may hold the pipe for
/// ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs the program and waits for its end.
///
/// # Errors
/// `Unavailable` if it cannot be started, did not end in time, or ended otherwise than with 0.
pub(super) fn run(command: &Command, env: &[(String, String)], message: &Message) -> Result<()> {
    let failed = |message: &'static str| {
        Error::unavailable("feed.command", message).with("program", command.program.escape_debug())
    };
    let mut program = std::process::Command::new(&command.program);
    program
        .args(&command.args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .env("MLOPS_EVENT", &message.operation)
        .env("MLOPS_DELIVERY", message.sequence.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut program, 0);

    let deadline = Instant::now() + Duration::from_secs(command.timeout_secs);
    let started = program.spawn().map(Running);
    let mut child = started.map_err(|e| failed("the program does not start").with_source(e))?;
    let aside = write_aside(&mut child.0, message.body.clone())
        .and_then(|()| read_tail_aside(child.0.stderr.take()));
    let tail = aside.map_err(|e| failed("cannot start a thread").with_source(e))?;
    let ended = child.wait(deadline, &tail);
    let (status, mut said) =
        ended.map_err(|e| failed("cannot wait for the program").with_source(e))?;
    // Kills it if it still runs, which closes what it was writing to.
    drop(child);
    if status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    if said.is_none() {
        said = tail.recv_timeout(LAST_WORDS).ok();
    }
    let said = said.unwrap_or_default();
    let error = match status {
        Some(status) => failed("the program failed").with("status", status),
        None => failed("the program took too long and was killed")
            .with("timeout_secs", command.timeout_secs),
    };
    let said = said.trim();
    Err(if said.is_empty() { error } else { error.with("stderr", said.escape_debug()) })
}

/// A child that does not survive its owner.
struct Running(Child);

impl Running {
    /// Its status, or `None` after the deadline; and what it said, if that is known already.
    fn wait(
        &mut self,
        deadline: Instant,
        tail: &Receiver<String>,
    ) -> io::Result<(Option<ExitStatus>, Option<String>)> {
        let mut said = None;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok((Some(status), said));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok((None, said));
            }
            // The end of its output is mostly its own end too, and comes without waiting for it.
            if said.is_some() {
                thread::park_timeout(left.min(POLL));
            } else {
                said = tail.recv_timeout(left.min(POLL)).ok();
            }
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

/// Writes the input in a thread of its own, which ends when the reader does.
fn write_aside(child: &mut Child, input: String) -> io::Result<()> {
    let Some(mut stdin) = child.stdin.take() else { return Ok(()) };
    let write = move || {
        // A program that has heard enough closes its input: no failure, its exit code decides.
        let _ = stdin.write_all(input.as_bytes());
    };
    thread::Builder::new().name("mlops-feed-stdin".into()).spawn(write).map(drop)
}

/// Reads everything in a thread of its own and keeps the end.
fn read_tail_aside(stderr: Option<ChildStderr>) -> io::Result<Receiver<String>> {
    let (sender, receiver) = sync_channel(1);
    let Some(mut stderr) = stderr else { return Ok(receiver) };
    let read = move || {
        let (mut tail, mut chunk) = (Vec::new(), [0; 4_096]);
        while let Ok(read @ 1..) = stderr.read(&mut chunk) {
            tail.extend_from_slice(&chunk[..read]);
            tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
        }
        let _ = sender.send(String::from_utf8_lossy(&tail).into_owned());
    };
    thread::Builder::new().name("mlops-feed-stderr".into()).spawn(read)?;
    Ok(receiver)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, timeout_secs: u64) -> Result<()> {
        let command = Command::new("/bin/sh").arg("-c").arg(script).with_timeout_secs(timeout_secs);
        let message =
            Message { sequence: 7, operation: "version.promote".into(), body: "x".repeat(300_000) };
        run(&command, &[("PATH".into(), "/usr/bin:/bin".into())], &message)
    }

    #[test]
    fn exit_code_zero_is_delivered_whether_or_not_the_input_is_read() {
        shell("exit 0", 30).unwrap();
        shell("test \"$(wc -c)\" -eq 300000", 30).unwrap();
        shell(
            "test \"$MLOPS_EVENT $MLOPS_DELIVERY\" = 'version.promote 7' && test -z \"$HOME\"",
            30,
        )
        .unwrap();
    }

    #[test]
    fn another_exit_code_is_an_error_with_the_end_of_what_it_said() {
        let error = shell("yes noise | head -c 100000 >&2; echo 'no such channel' >&2; exit 3", 30);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such channel"), "{error}");
        assert!(error.len() < 6_000, "{}", error.len());
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed_with_its_children() {
        let began = Instant::now();
        let error = shell("echo waiting >&2; sleep 600 & sleep 600", 1).unwrap_err().to_string();
        assert!(error.contains("took too long") && error.contains("waiting"), "{error}");
        assert!(began.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_child_that_outlives_the_program_does_not_hold_it_up() {
        let began = Instant::now();
        shell("sleep 20 & exit 0", 60).unwrap();
        assert!(began.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let message = Message { sequence: 1, operation: "run.create".into(), body: String::new() };
        let error = run(&Command::new("/nowhere/notify"), &[], &message).unwrap_err();
        assert!(error.to_string().contains("does not start"), "{error}");
    }
}
