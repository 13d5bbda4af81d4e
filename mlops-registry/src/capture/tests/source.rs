use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mlops_core::ErrorKind;
use tempfile::TempDir;

use super::super::redact;
use super::super::source::{SourceOptions, SourceState, Truncated, cut_to_whole_files};

/// Runs git away from the settings of whoever runs the tests.
fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"])
        .args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env_remove("GIT_DIR")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn repo() -> TempDir {
    let dir = TempDir::with_prefix("capture-").unwrap();
    git(dir.path(), &["init", "-q"]);
    fs::write(dir.path().join("a.txt"), "one\n").unwrap();
    commit(dir.path());
    dir
}

fn commit(dir: &Path) {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "-m", "x"]);
}

fn capture(dir: &Path) -> SourceState {
    SourceState::capture(dir).unwrap().unwrap()
}

fn patch(state: &SourceState) -> String {
    String::from_utf8(state.diff.clone().unwrap_or_default()).unwrap()
}

#[test]
fn a_clean_repository_has_commit_and_branch_and_no_patch() {
    let dir = repo();
    let state = capture(dir.path());
    assert_eq!(state.commit, Some(git(dir.path(), &["rev-parse", "HEAD"])));
    assert_eq!(state.branch.as_deref(), Some("main"));
    assert_eq!(state.remote, None);
    assert_eq!((state.dirty, &state.diff), (Some(false), &None));
    assert!(state.untracked.is_empty() && state.truncated.is_empty());
    assert_eq!(state.entry, Some(std::env::current_exe().unwrap().display().to_string()));
}

#[test]
fn a_directory_below_the_root_sees_the_whole_repository() {
    let dir = repo();
    let sub = dir.path().join("x/y");
    fs::create_dir_all(&sub).unwrap();
    fs::write(dir.path().join("a.txt"), "two\n").unwrap();
    fs::write(sub.join("new.rs"), "").unwrap();
    let state = capture(&sub);
    assert_eq!(state.untracked, ["x/y/new.rs"]);
    assert!(patch(&state).contains("+++ b/a.txt"));
}

#[test]
fn the_patch_makes_the_commit_what_was_run() {
    let dir = repo();
    let (a, bin) = (dir.path().join("a.txt"), dir.path().join("b.bin"));
    fs::write(&a, "one\ntwo\n").unwrap();
    fs::write(&bin, [0_u8, 1, 2, 255, 0]).unwrap();
    git(dir.path(), &["add", "b.bin"]);
    fs::write(dir.path().join("loose.txt"), "").unwrap();
    let state = capture(dir.path());
    assert_eq!(state.dirty, Some(true));
    assert_eq!(state.untracked, ["loose.txt"]);

    let file = dir.path().join("../").canonicalize().unwrap().join("p.patch");
    let file = file.with_file_name(format!("{}.patch", dir.path().file_name().unwrap().display()));
    fs::write(&file, state.diff.unwrap()).unwrap();
    git(dir.path(), &["reset", "-q", "--hard"]);
    assert!(!bin.exists());
    git(dir.path(), &["apply", file.to_str().unwrap()]);
    fs::remove_file(&file).unwrap();
    assert_eq!(fs::read(&a).unwrap(), b"one\ntwo\n");
    assert_eq!(fs::read(&bin).unwrap(), [0, 1, 2, 255, 0]);
}

#[test]
fn untracked_files_alone_do_not_make_it_dirty_and_ignored_ones_are_not_listed() {
    let dir = repo();
    fs::write(dir.path().join(".gitignore"), "*.log\n").unwrap();
    commit(dir.path());
    fs::write(dir.path().join("run.log"), "").unwrap();
    fs::write(dir.path().join("odd \"näme\n.txt"), "").unwrap();
    let state = capture(dir.path());
    assert_eq!((state.dirty, state.diff), (Some(false), None));
    assert_eq!(state.untracked, ["odd \"näme\n.txt"]);
}

#[test]
fn a_detached_head_has_no_branch() {
    let dir = repo();
    git(dir.path(), &["checkout", "-q", "--detach"]);
    let state = capture(dir.path());
    assert!(state.commit.is_some());
    assert_eq!(state.branch, None);
}

#[test]
fn before_the_first_commit_there_is_a_branch_and_a_patch_from_nothing() {
    let dir = TempDir::with_prefix("capture-").unwrap();
    git(dir.path(), &["init", "-q"]);
    let state = capture(dir.path());
    assert_eq!((state.commit, state.branch.as_deref()), (None, Some("main")));
    assert_eq!((state.dirty, state.diff), (Some(false), None));
    fs::write(dir.path().join("a.txt"), "one\n").unwrap();
    git(dir.path(), &["add", "a.txt"]);
    let state = capture(dir.path());
    assert_eq!((&state.commit, state.dirty), (&None, Some(true)));
    assert!(patch(&state).contains("new file mode 100644"));
}

#[test]
fn where_no_repository_is_there_is_no_state() {
    let dir = TempDir::with_prefix("capture-").unwrap();
    assert!(SourceState::capture(dir.path()).unwrap().is_none());
    assert!(SourceState::capture(&dir.path().join("missing")).unwrap().is_none());
    fs::create_dir(dir.path().join(".git")).unwrap();
    assert!(SourceState::capture(dir.path()).unwrap().is_none(), "an empty .git is no repository");
}

#[test]
fn a_broken_repository_is_invalid_and_says_why() {
    let dir = repo();
    fs::write(dir.path().join(".git/config"), "[broken").unwrap();
    let err = SourceState::capture(dir.path()).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Invalid);
    assert!(err.to_string().contains("bad config line"), "{err}");
}

#[test]
fn linked_worktrees_are_repositories() {
    let dir = repo();
    let tree = TempDir::with_prefix("capture-").unwrap();
    let path = tree.path().join("w");
    git(dir.path(), &["worktree", "add", "-q", "-b", "side", path.to_str().unwrap()]);
    fs::write(path.join("a.txt"), "side\n").unwrap();
    let state = capture(&path);
    assert_eq!((state.branch.as_deref(), state.dirty), (Some("side"), Some(true)));
    assert_eq!(capture(dir.path()).dirty, Some(false));
}

#[test]
fn work_in_a_submodule_is_part_of_the_patch() {
    let (inner, outer) = (repo(), repo());
    git(outer.path(), &["submodule", "--quiet", "add", inner.path().to_str().unwrap(), "lib/sub"]);
    commit(outer.path());
    assert_eq!(capture(outer.path()).dirty, Some(false));

    let sub = outer.path().join("lib/sub");
    fs::write(sub.join("a.txt"), "inner work\n").unwrap();
    fs::write(sub.join("new.rs"), "").unwrap();
    let state = capture(outer.path());
    assert_eq!(state.dirty, Some(true));
    assert!(patch(&state).contains("+++ b/lib/sub/a.txt\n"), "{}", patch(&state));
    assert_eq!(state.untracked, ["lib/sub/new.rs"]);
    assert_eq!(state.commit, Some(git(outer.path(), &["rev-parse", "HEAD"])));

    let within = capture(&sub);
    assert_eq!(within.commit, Some(git(inner.path(), &["rev-parse", "HEAD"])));
    assert!(patch(&within).contains("+++ b/a.txt\n"));

    commit(&sub);
    assert!(patch(&capture(outer.path())).contains("+Subproject commit"));

    fs::write(sub.join(".git"), "gitdir: /nowhere\n").unwrap();
    assert!(capture(outer.path()).truncated.contains(&Truncated::Submodule));
}

#[test]
fn the_remote_comes_without_credentials() {
    let dir = repo();
    git(dir.path(), &["remote", "add", "origin", "https://me:hunter2@example.com/org/x.git"]);
    git(dir.path(), &["remote", "add", "other", "https://other.example/"]);
    let state = capture(dir.path());
    assert_eq!(state.remote.as_deref(), Some("https://example.com/org/x.git"));
    assert!(!serde_json::to_string(&state).unwrap().contains("hunter2"));
}

#[test]
fn remote_urls_keep_what_is_not_secret() {
    for (url, kept) in [
        ("https://ghp_abc@github.com/o/r.git", "https://github.com/o/r.git"),
        ("HTTPS://u:p@h:8443/r", "HTTPS://h:8443/r"),
        ("https://u:p@ss@h/r", "https://h/r"),
        ("https://u:pa/ss@h/r", "https://***"),
        ("https://u:pa?ss@h/r", "https://***"),
        ("https://h/r?private_token=x", "https://h/r"),
        ("https://h/@scope/r", "https://h/@scope/r"),
        ("https://[::1]:80/@r", "https://[::1]:80/@r"),
        ("ssh://git@h:22/r", "ssh://git@h:22/r"),
        ("ssh://git:pw@h/r", "ssh://git@h/r"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("git:pw@github.com:o/r.git", "github.com:o/r.git"),
        ("/srv/git/r.git", "/srv/git/r.git"),
        ("foo::https://u:p@h/r", "foo::https://h/r"),
    ] {
        assert_eq!(redact::remote(url), kept, "{url}");
    }
}

#[test]
fn a_long_patch_is_cut_after_a_whole_file_and_says_so() {
    let dir = repo();
    fs::write(dir.path().join("z.txt"), "z\n").unwrap();
    commit(dir.path());
    fs::write(dir.path().join("a.txt"), "short\n").unwrap();
    fs::write(dir.path().join("z.txt"), "long line\n".repeat(10_000)).unwrap();
    let options = SourceOptions::default().with_max_diff_bytes(1_000);
    let state = SourceState::capture_with(dir.path(), &options).unwrap().unwrap();
    assert_eq!((state.dirty, &*state.truncated), (Some(true), &[Truncated::Diff][..]));
    let kept = patch(&state);
    assert!(kept.contains("+short\n") && !kept.contains("z.txt") && kept.ends_with('\n'));

    let options = options.with_max_diff_bytes(50);
    let state = SourceState::capture_with(dir.path(), &options).unwrap().unwrap();
    assert_eq!((state.diff, &*state.truncated), (None, &[Truncated::Diff][..]));

    let mut patch = b"diff --git a/x b/x\n+1\ndiff --git a/y b/y\n+".to_vec();
    cut_to_whole_files(&mut patch);
    assert_eq!(patch, b"diff --git a/x b/x\n+1\n");
}

#[test]
fn many_untracked_files_are_cut_and_say_so() {
    let dir = repo();
    for i in 0..5 {
        fs::write(dir.path().join(format!("{i}.new")), "").unwrap();
    }
    let options = SourceOptions::default().with_max_untracked(3);
    let state = SourceState::capture_with(dir.path(), &options).unwrap().unwrap();
    assert_eq!(state.untracked, ["0.new", "1.new", "2.new"]);
    assert_eq!(state.truncated, [Truncated::Untracked]);
}

#[test]
fn without_time_the_commit_is_still_known() {
    let dir = repo();
    fs::write(dir.path().join("a.txt"), "two\n").unwrap();
    let options = SourceOptions::default().with_time_limit(Duration::ZERO);
    let state = SourceState::capture_with(dir.path(), &options).unwrap().unwrap();
    assert_eq!(state.commit, Some(git(dir.path(), &["rev-parse", "HEAD"])));
    assert_eq!(state.branch.as_deref(), Some("main"));
    assert_eq!((state.dirty, state.diff), (None, None));
    assert_eq!(state.truncated, [Truncated::TimeLimit]);
}

#[test]
fn no_program_of_the_repository_is_run() {
    let dir = repo();
    let ran = dir.path().join(".git/ran");
    let script = dir.path().join(".git/evil.sh");
    fs::write(&script, format!("#!/bin/sh\necho \"$0 $@\" >> {}\ncat\n", ran.display())).unwrap();
    make_executable(&script);
    let evil = script.to_str().unwrap();
    fs::write(dir.path().join(".gitattributes"), "*.txt filter=evil diff=evil\n*.p filter=a=b.c\n")
        .unwrap();
    fs::write(dir.path().join("x.p"), "p\n").unwrap();
    commit(dir.path());
    for (key, value) in [
        ("core.fsmonitor", evil),
        ("core.pager", evil),
        ("pager.diff", evil),
        ("diff.external", evil),
        ("filter.evil.clean", evil),
        ("filter.evil.smudge", evil),
        ("filter.evil.process", evil),
        ("filter.evil.required", "true"),
        ("filter.a=b.c.clean", evil),
        ("diff.evil.textconv", evil),
        ("diff.evil.command", evil),
        ("core.hooksPath", dir.path().join(".git/hooks").to_str().unwrap()),
        ("color.ui", "always"),
        ("diff.noprefix", "true"),
    ] {
        git(dir.path(), &["config", key, value]);
    }
    fs::write(dir.path().join("a.txt"), "two\n").unwrap();
    fs::write(dir.path().join("x.p"), "q\n").unwrap();
    for hook in ["post-index-change", "fsmonitor-watchman", "pre-commit"] {
        fs::copy(&script, dir.path().join(".git/hooks").join(hook)).unwrap();
    }
    let state = capture(dir.path());
    assert_eq!(state.dirty, Some(true));
    assert!(patch(&state).contains("+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n"), "{}", patch(&state));
    assert!(patch(&state).contains("+++ b/x.p\n"));
    assert!(!ran.exists(), "ran: {}", fs::read_to_string(&ran).unwrap());

    // The trap works: without our precautions git walks into it.
    Command::new("git").args(["diff", "HEAD"]).current_dir(dir.path()).output().unwrap();
    assert!(ran.exists());
}

#[test]
fn a_capture_leaves_the_repository_as_it_was() {
    let dir = repo();
    let index = dir.path().join(".git/index");
    let before = fs::read(&index).unwrap();
    // Content as before, time not: git would like to write the new time down.
    fs::write(dir.path().join("a.txt"), "one\n").unwrap();
    assert_eq!(capture(dir.path()).dirty, Some(false));
    assert_eq!(fs::read(&index).unwrap(), before);
}

#[test]
fn a_program_inside_the_repository_is_named_relative_to_its_root() {
    let dir = repo();
    let options = SourceOptions::default().with_entry(dir.path().join("a.txt"));
    let state = SourceState::capture_with(dir.path(), &options).unwrap().unwrap();
    assert_eq!(state.entry.as_deref(), Some("a.txt"));
}

#[test]
fn the_state_serializes_without_the_patch() {
    let dir = repo();
    fs::write(dir.path().join("a.txt"), "two\n").unwrap();
    let state = capture(dir.path());
    let json = serde_json::to_string(&state).unwrap();
    let back: SourceState = serde_json::from_str(&json).unwrap();
    assert_eq!(back.diff, None);
    let mut without = state.clone();
    without.diff = None;
    assert_eq!(back, without);
}

#[test]
fn a_child_that_hangs_is_killed_with_its_children() {
    use super::super::command::{End, run};
    let start = Instant::now();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "sleep 30 & sleep 30"]);
    let output = run(&mut command, start + Duration::from_millis(100), 10).unwrap();
    assert_eq!(output.end, End::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(5));

    // Output closed, but still alive.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec >&- 2>&-; sleep 30"]);
    let start = Instant::now();
    let output = run(&mut command, start + Duration::from_millis(100), 10).unwrap();
    assert_eq!(output.end, End::TimedOut);

    let mut command = Command::new("/bin/sh");
    command.args(["-c", "yes; sleep 30"]);
    let start = Instant::now();
    let output = run(&mut command, start + Duration::from_secs(20), 10).unwrap();
    assert_eq!((output.end, &*output.stdout), (End::TooLong, &b"y\ny\ny\ny\ny\n"[..]));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
