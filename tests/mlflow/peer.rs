//! Real MLflows: an environment for each version, scripts run in it, and the oracle's pipe.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Starting Python with MLflow takes 3 s alone, and much longer beside a build.
const PATIENCE: Duration = Duration::from_mins(4);
const INSTALL_PATIENCE: Duration = Duration::from_mins(15);

/// Why there is no such peer here.
pub(crate) struct Unavailable(pub(crate) String);

#[expect(clippy::disallowed_methods, reason = "a test's own settings")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn is_strict() -> bool {
    setting("MLOPS_TEST_STRICT").is_some_and(|strict| strict == "1")
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/mlflow")
}

fn peers() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("peers")
}

/// The Python of an environment with this version of MLflow, which is made if it is not there.
///
/// The file `complete` is written last, with the requirements that were installed: what was begun and
/// not ended, or is of other requirements, is made anew. A file lock lets processes take turns.
pub(crate) fn peer_python(version: &str) -> Result<PathBuf, Unavailable> {
    let name = format!("mlflow-{version}");
    let home = peers().join(&name);
    fs::create_dir_all(peers()).unwrap();
    let turn = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(peers().join(format!("{name}.lock")))
        .unwrap();
    turn.lock().unwrap();
    let python = home.join("bin/python");
    let requirements = scripts().join(format!("requirements-{version}.txt"));
    let wanted = fs::read_to_string(&requirements).unwrap();
    let complete = home.join("complete");
    if fs::read_to_string(&complete).is_ok_and(|made| made == wanted) {
        return Ok(python);
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&home);
    output(&mut make, PATIENCE).map_err(|e| Unavailable(format!("no virtual environment: {e}")))?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    install.arg(&requirements);
    output(&mut install, INSTALL_PATIENCE)
        .map_err(|e| Unavailable(format!("MLflow {version} cannot be installed: {e}")))?;
    fs::write(complete, wanted).unwrap();
    Ok(python)
}

/// What a script of `benches/peers/mlflow` prints, as JSON; panics if it fails.
pub(crate) fn script(python: &Path, name: &str, arguments: &[&str]) -> Value {
    let mut command = Command::new(python);
    command.arg(scripts().join(name)).args(arguments);
    let text = output(&mut command, PATIENCE).unwrap_or_else(|e| panic!("{name}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}: {text}"))
}

/// What a command prints, if it succeeds in time.
fn output(command: &mut Command, patience: Duration) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start: {e}"))?;
    let (send, receive) = mpsc::channel();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text);
        let _ = send.send(read.map(|_| text));
    });
    let answer = receive.recv_timeout(patience);
    if answer.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    let errors = errors.join().unwrap_or_default();
    let tail = &errors[errors.floor_char_boundary(errors.len().saturating_sub(4_000))..];
    match answer {
        Err(_) => Err(format!("no answer in {} s: {tail}", patience.as_secs())),
        Ok(_) if !status.success() => Err(format!("{status}: {tail}")),
        Ok(text) => text.map_err(|e| e.to_string()),
    }
}

/// The differential-test server of `oracle.py`.
pub(crate) struct Oracle {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
    asked: u64,
    answered: u64,
}

impl Oracle {
    pub(crate) fn start(python: &Path, version: &str) -> Self {
        let template = peers().join(format!("oracle-{version}.db"));
        let mut child = Command::new(python)
            .arg(scripts().join("oracle.py"))
            .arg("--template")
            .arg(template)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (send, answers) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|l| send.send(l)));
        let input = child.stdin.take().unwrap();
        let mut oracle = Self { child, input, answers, asked: 0, answered: 0 };
        assert_eq!(oracle.line()["ready"], true);
        oracle
    }

    fn line(&mut self) -> Value {
        let line = self.answers.recv_timeout(PATIENCE).expect("the oracle answers");
        serde_json::from_str(&line).unwrap()
    }

    /// Sends a command whose answer says nothing; that it was no error is checked with the next
    /// answer. So MLflow and we work side by side.
    pub(crate) fn tell(&mut self, mut command: Value) {
        command["id"] = json!(self.asked);
        self.asked += 1;
        writeln!(self.input, "{command}").unwrap();
    }

    /// Answers to all commands, in their order; they are written ahead, which saves the round trips.
    pub(crate) fn ask_all(&mut self, commands: Vec<Value>) -> Vec<Value> {
        let count = commands.len();
        for command in commands {
            self.tell(command);
        }
        self.input.flush().unwrap();
        let mut answers = Vec::with_capacity(count);
        while self.answered < self.asked {
            let mut answer = self.line();
            assert_eq!(answer["id"], json!(self.answered));
            assert!(answer.get("error").is_none(), "{answer}");
            self.answered += 1;
            if self.asked - self.answered < count as u64 {
                answers.push(answer["ok"].take());
            }
        }
        answers
    }

    pub(crate) fn ask(&mut self, command: Value) -> Value {
        self.ask_all(vec![command]).remove(0)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // Gently: it removes its temporary folder at the end of its input.
        let _ = writeln!(self.input, "{}", json!({ "cmd": "quit" }));
        let _ = self.input.flush();
        let _ = self.answers.recv_timeout(Duration::from_secs(10));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
