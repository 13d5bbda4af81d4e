//! A real Redis for one test: on a free port of this machine, without a file that stays.
//!
//! It ends with the value, and also with the process, were that to be killed: the kernel is told to
//! (`setpriv --pdeathsig`). As the kernel takes the death of the thread that started a program for that of
//! its parent, all are started by one thread that lives as long as the process.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Absent;

/// How long a server may take to answer for the first time.
const START: Duration = Duration::from_secs(20);
/// How often another port is tried, were one taken in the moment between choosing and using it.
const TRIES: usize = 5;

/// A running `redis-server`.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    options: Vec<String>,
    directory: TempDir,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk and throws nothing away.
    ///
    /// # Errors
    /// `Absent` if `redis-server` is not installed or does not answer.
    pub fn start() -> Result<Self, Absent> {
        Self::start_with(&[])
    }

    /// Starts one with further options of its command line: `["--requirepass", "secret"]`.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub fn start_with(options: &[&str]) -> Result<Self, Absent> {
        let mut problem = Absent("no port is free".to_owned());
        for _ in 0..TRIES {
            let directory = tempfile::tempdir().map_err(absent)?;
            let port = free_port().map_err(absent)?;
            let options = options.iter().map(|option| (*option).to_owned()).collect();
            let mut server = Self { port, options, directory, child: None };
            match server.run() {
                Ok(()) => return Ok(server),
                Err(error) => problem = error,
            }
            if server.child.is_none() {
                break;
            }
        }
        Err(problem)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address without a password: `redis://127.0.0.1:7000`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it, as a power failure would.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port and directory; what was only in memory is gone.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn restart(&mut self) {
        self.stop();
        self.run().expect("a server that ran once starts again");
    }

    /// Halts it: connections stay open, and nothing is answered until [`RedisServer::resume`].
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`RedisServer::pause`].
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Sends words of one command, none with a space in it, and returns the first line of the answer.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn command(&self, words: &str) -> String {
        self.ask(words).expect("the server answers")
    }

    fn run(&mut self) -> Result<(), Absent> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "redis-server"]);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"]);
        command.arg(self.directory.path()).args(&self.options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Of the locale the server takes the order of text, which nothing may depend on.
        command.env("LC_ALL", "C.UTF-8");
        self.child = Some(spawn(command).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Absent("setpriv is not installed: apt-get install util-linux".to_owned())
            }
            _ => absent(error),
        })?);
        self.wait()
    }

    fn wait(&mut self) -> Result<(), Absent> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            // A server that wants a password is there too; one that loads its log is not yet.
            let answers =
                self.ask("PING").is_ok_and(|line| line == "+PONG" || line.starts_with("-NOAUTH"));
            // Looked at after the answer: on a port that was taken meanwhile it is another's, and ours ends.
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                if status.code() == Some(127) {
                    self.child = None;
                    return Err(Absent(
                        "redis-server is not installed: apt-get install redis-server".to_owned(),
                    ));
                }
                return Err(Absent(format!("redis-server ended at once: {status}")));
            }
            if answers {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Err(Absent(format!("redis-server did not answer within {} s", START.as_secs())))
    }

    fn ask(&self, words: &str) -> std::io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{words}\r\n").as_bytes())?;
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") && stream.read(&mut byte)? == 1 {
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            let kill = format!("kill -{name} {}", child.id());
            let status = Command::new("sh").args(["-c", &kill]).status();
            assert!(status.is_ok_and(|status| status.success()), "{kill}");
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn absent(error: std::io::Error) -> Absent {
    Absent(format!("no redis-server: {error}"))
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

type Job = (Command, Sender<std::io::Result<Child>>);

/// Starts a program from the thread that outlives all tests.
fn spawn(command: Command) -> std::io::Result<Child> {
    static STARTER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (send, jobs) = channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, started) in jobs {
                // Who asked may be gone; then the program is ended with the value that nobody took.
                if let Err(lost) = started.send(command.spawn())
                    && let Ok(mut child) = lost.0
                {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        });
        Mutex::new(send)
    });
    let (started, wait) = channel();
    let gone = || std::io::Error::other("the thread that starts programs is gone");
    let send = starter.lock().unwrap_or_else(PoisonError::into_inner).clone();
    send.send((command, started)).map_err(|_| gone())?;
    wait.recv().map_err(|_| gone())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Option<RedisServer> {
        match RedisServer::start() {
            Ok(server) => Some(server),
            Err(absent) if crate::strict() => panic!("{absent}"),
            Err(absent) => {
                println!("ignored: {absent}");
                None
            }
        }
    }

    #[test]
    fn a_server_that_is_started_again_has_forgotten() {
        let Some(mut server) = server() else { return };
        assert_eq!(server.command("SET a 1"), "+OK");
        server.restart();
        assert_eq!(server.command("GET a"), "$-1");
    }

    #[test]
    fn a_server_ends_with_its_value() {
        let Some(server) = server() else { return };
        let port = server.port();
        drop(server);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
