//! What must not be in a file of this repository.

use std::fs;
use std::path::Path;

use super::Found;
use super::code::{code_only, has_word, without_tests};
use crate::process::{program, read};
use crate::project::{Package, Project};

/// The files that may say `unsafe`: the memory-mapped spool and online table, and the pointers between the two
/// implementations of Arrow.
const UNSAFE: [&str; 3] = [
    "mlops-registry/src/spool/map.rs",
    "mlops-polars/src/ffi.rs",
    "mlops-features/src/online/table/map.rs",
];
/// The crates that these files are in, whose roots therefore cannot forbid it.
const UNSAFE_CRATES: [&str; 3] = ["mlops-registry", "mlops-polars", "mlops-features"];

/// Code that is not finished, outside tests.
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// Folders of one machine. In pieces, so that this file does not contain them.
const MACHINE: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Whose folders an example may name.
const ANYONE: [&str; 7] = ["", "alice", "bob", "me", "u", "user", "you"];

/// Hosts of package registries: which one is used is the machine's business. In pieces, as above.
const HOSTS: [&str; 6] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
    concat!("proxy.go", "lang.org"),
    concat!("ana", "conda.org"),
];

/// Written by a tool, or by others.
const NOT_OURS: [&str; 2] = ["Cargo.lock", "LICENSE"];

/// One line for each place.
pub(super) fn check(project: &Project) -> Result<Found, String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let files = read(program(&project.root, "git", &arguments))?;
    let mut findings = Vec::new();
    for path in files.lines().filter(|path| !NOT_OURS.contains(path)) {
        // A file that is deleted, a link to a folder or binary data has no text.
        if let Ok(text) = fs::read_to_string(project.root.join(path)) {
            findings.extend(look(path, &text));
        }
    }
    let forbids = |package: &&Package| !UNSAFE_CRATES.contains(&package.name.as_str());
    for package in project.metadata.members().filter(forbids) {
        for root in &package.roots {
            let text = fs::read_to_string(root).unwrap_or_default();
            if !code_only(&text).contains("#![forbid(unsafe_code)]") {
                let root = project.relative(root).display();
                findings.push(format!("{root}: does not say #![forbid(unsafe_code)]"));
            }
        }
    }
    Ok(Found { findings, notes: Vec::new() })
}

/// The findings of one file.
fn look(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for folder in MACHINE.iter().filter(|folder| names_machine(line, folder)) {
            findings.push(format!("{path}:{number}: {folder} is a folder of one machine"));
        }
        for host in HOSTS.iter().filter(|host| line.contains(**host)) {
            findings.push(format!("{path}:{number}: names a package registry, {host}"));
        }
    }
    if Path::new(path).extension().is_some_and(|extension| extension == "rs") {
        let code = code_only(text);
        for (line, number) in code.lines().zip(1..) {
            if !UNSAFE.contains(&path) && has_word(line, "unsafe") {
                let files = UNSAFE.join(" and ");
                findings.push(format!("{path}:{number}: unsafe is only for {files}"));
            }
        }
        let shipped = if is_test(path) { String::new() } else { without_tests(&code) };
        for (line, number) in shipped.lines().zip(1..) {
            for call in UNFINISHED.iter().filter(|call| has_call(line, call)) {
                findings.push(format!("{path}:{number}: {call} outside tests"));
            }
        }
    }
    findings
}

/// Whether the folder stands where a path begins, and is not an example's.
fn names_machine(line: &str, folder: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-{}<>$*~".contains(c);
    line.match_indices(folder).any(|(at, _)| {
        let below = line[at + folder.len()..].split(|c: char| !c.is_alphanumeric()).next();
        let example = MACHINE[2..].contains(&folder) && below.is_some_and(|b| ANYONE.contains(&b));
        !line[..at].ends_with(inside) && !example
    })
}

fn has_call(line: &str, call: &str) -> bool {
    has_word(line, call.trim_end_matches('!')) && line.contains(call)
}

/// A file that holds only tests.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests" || part == "benches")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_finds_its_line() {
        let text = format!(
            "fn a() {{\n    todo!()\n}}\n// {}x\n// {}\nfn b() {{ unsafe {{}} }}\n",
            MACHINE[0], HOSTS[0]
        );
        let found = look("mlops-core/src/a.rs", &text);
        let lines: Vec<&str> = found.iter().filter_map(|line| line.split(": ").next()).collect();
        let file = "mlops-core/src/a.rs";
        assert_eq!(lines, [4, 5, 6, 2].map(|line| format!("{file}:{line}")));
    }

    #[test]
    fn tests_may_be_unfinished_and_two_files_may_be_unsafe() {
        assert_eq!(look("mlops-core/src/a/tests.rs", "fn a() { todo!() }"), [""; 0]);
        assert_eq!(
            look("mlops-core/src/a.rs", "#[cfg(test)]\nmod t { fn a() { dbg!(1) } }"),
            [""; 0]
        );
        assert!(UNSAFE.iter().all(|file| look(file, "unsafe {}").is_empty()));
    }

    #[test]
    fn a_folder_inside_a_path_is_not_the_machines() {
        let text =
            format!("see examples{0}x, s3://bucket{0}y and {1}you/z", MACHINE[0], MACHINE[2]);
        assert_eq!(look("README.md", &text), [""; 0]);
        assert_eq!(look("README.md", &format!("{}carla", MACHINE[2])).len(), 1);
    }
}
