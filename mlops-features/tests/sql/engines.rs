//! DuckDB in a Python environment that is made once, and a PostgreSQL server of this test's own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::Mutex;

use mlops_features::sql::Dialect;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Why an engine is not here.
pub(crate) struct Unavailable(pub(crate) String);

/// One row of an answer: text, or null.
pub(crate) type Cells = Vec<Option<String>>;

pub(crate) trait Engine {
    const DIALECT: Dialect;
    /// The type of instants.
    const INSTANT: &'static str;

    /// An instant of microseconds since 1970.
    fn instant(micros: i64) -> String;

    /// An instant as microseconds since 1970, a whole number.
    fn micros(column: &str) -> String;

    /// Runs statements, and answers the rows of a query.
    fn run(&self, statements: &[String], query: &str) -> Vec<Cells>;
}

/// One Python that answers a line with a line.
pub(crate) struct DuckDb {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql")
}

fn done(command: &mut Command) -> Result<Output, Unavailable> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|e| Unavailable(format!("{shown}: {e}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Unavailable(format!("{shown}: {}: {said}", output.status)))
}

impl DuckDb {
    /// The Python of an environment with DuckDB, which is made if it is not there.
    ///
    /// The file `complete` is written last, with the requirements that were installed: what was begun
    /// and not ended, or is of other requirements, is made anew. A file lock lets processes take turns.
    pub(crate) fn open() -> Result<Self, Unavailable> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
        let home = target.join("peers/features-sql");
        fs::create_dir_all(target.join("peers")).expect("a directory");
        let mut lock = File::options();
        lock.create(true).truncate(false).write(true);
        let turn = lock.open(target.join("peers/features-sql.lock")).expect("a lock file");
        turn.lock().expect("a turn");
        let python = home.join("bin/python");
        let requirements = tests().join("requirements.txt");
        let wanted = fs::read_to_string(&requirements).expect("the requirements");
        let complete = home.join("complete");
        if !fs::read_to_string(&complete).is_ok_and(|made| made == wanted) {
            done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
            done(Command::new(&python).args(pip).arg(&requirements))?;
            fs::write(complete, wanted).expect("the mark is written");
        }
        let mut command = Command::new(python);
        command.arg(tests().join("duck.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Ok(Self { child, pipes: Mutex::new((input, output)) })
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Engine for DuckDb {
    const DIALECT: Dialect = Dialect::DuckDb;
    const INSTANT: &'static str = "TIMESTAMP";

    fn instant(micros: i64) -> String {
        format!("make_timestamp({micros})")
    }

    fn micros(column: &str) -> String {
        format!("epoch_us({column})")
    }

    fn run(&self, statements: &[String], query: &str) -> Vec<Cells> {
        let mut pipes = self.pipes.lock().expect("no panic");
        let (input, output) = &mut *pipes;
        writeln!(input, "{}", json!({ "statements": statements, "query": query })).expect("a pipe");
        let mut line = String::new();
        output.read_line(&mut line).expect("a pipe");
        let rows: Vec<Vec<Value>> = serde_json::from_str(&line).expect(query);
        let cell = |value: Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect()
    }
}

pub(crate) struct Postgres {
    bin: PathBuf,
    directory: TempDir,
}

impl Postgres {
    /// A server on a socket in a directory of its own.
    pub(crate) fn open() -> Result<Self, Unavailable> {
        let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .map_err(|e| Unavailable(format!("no PostgreSQL is installed: {e}")))?
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .filter(|bin| bin.join("initdb").exists())
            .collect();
        versions.sort();
        let bin = versions.pop().ok_or_else(|| Unavailable("no initdb is installed".to_owned()))?;
        let directory = tempfile::tempdir().expect("a directory");
        let server = Self { bin, directory };
        if rustix::process::getuid().is_root() {
            // The server refuses to run as root.
            let passwd = fs::read_to_string("/etc/passwd").expect("users");
            let line = passwd.lines().find(|line| line.starts_with("postgres:"));
            let id = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
            let id = id.ok_or_else(|| Unavailable("there is no user `postgres`".to_owned()))?;
            chown(server.directory.path(), Some(id), None).expect("a directory of the server's");
        }
        let data = server.directory.path().join("data");
        let init = ["-U", "mlops", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "-D"];
        done(server.command("initdb").args(init).arg(&data))?;
        let socket = server.directory.path().display();
        let options =
            format!("-c listen_addresses='' -c unix_socket_directories={socket} -c fsync=off");
        let start = ["-w", "-s", "-o", &options, "-l"];
        let log = server.directory.path().join("log");
        let mut command = server.command("pg_ctl");
        // Inherited pipes would be held by the server for ever.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let started = command.args(start).arg(log).arg("-D").arg(&data).arg("start").status();
        match started {
            Ok(status) if status.success() => Ok(server),
            other => Err(Unavailable(format!("PostgreSQL does not start: {other:?}"))),
        }
    }

    /// A program of PostgreSQL's, as a user that it accepts.
    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        if !rustix::process::getuid().is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command.current_dir(self.directory.path());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.directory.path().join("data");
        let mut stop = self.command("pg_ctl");
        let _ = stop.args(["-s", "-m", "immediate", "-D"]).arg(data).arg("stop").output();
    }
}

impl Engine for Postgres {
    const DIALECT: Dialect = Dialect::Postgres;
    const INSTANT: &'static str = "timestamptz";

    fn instant(micros: i64) -> String {
        let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        format!("to_timestamp({seconds}) + interval '{rest} microseconds'")
    }

    fn micros(column: &str) -> String {
        format!("(extract(epoch FROM {column}) * 1000000)::bigint")
    }

    fn run(&self, statements: &[String], query: &str) -> Vec<Cells> {
        let script = self.directory.path().join("script.sql");
        let statements = statements.join(";\n");
        fs::write(&script, format!("{statements};\n{query};\n")).expect("a script");
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-P", "null=\\N"]);
        psql.args(["-U", "mlops", "-d", "postgres", "-h"]).arg(self.directory.path());
        let output = psql.arg("-f").arg(&script).output().expect("psql starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{query}");
        let text = String::from_utf8(output.stdout).expect("text");
        let cell = |cell: &str| (cell != "\\N").then(|| cell.to_owned());
        text.lines().map(|line| line.split('\t').map(cell).collect()).collect()
    }
}
