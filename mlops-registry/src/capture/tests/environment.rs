use std::ffi::OsStr;
use std::fs;

use super::super::environment::{BuildInfo, Environment, EnvironmentOptions, parse_lock, select};
use super::super::{built_with, command, gpu, redact};

fn redacted(args: &[&str]) -> String {
    redact::command_line(args.iter().map(|arg| (*arg).to_owned())).join(" ")
}

#[test]
fn secrets_on_the_command_line_are_hidden() {
    for (args, stored) in [
        (&["t", "--token=abc", "x"][..], "t --token=*** x"),
        (&["t", "--hf-token", "abc", "x"], "t --hf-token *** x"),
        (&["t", "--password", "-abc"], "t --password ***"),
        (&["t", "--no-token", "--lr", "1"], "t --no-token --lr 1"),
        (&["t", "db.password=abc", "lr=1"], "t db.password=*** lr=1"),
        (&["t", "-H", "Authorization: Bearer abc"], "t -H Authorization: ***"),
        (&["t", "-H", "X-Api-Key:abc"], "t -H X-Api-Key: ***"),
        (&["t", "--api-key=", "--key", "7"], "t --api-key= --key ***"),
        (&["t", "--db=postgres://me:abc@h/d"], "t --db=postgres://me:***@h/d"),
        (&["t", "https://abc@h/x?a=1&token=abc#f"], "t https://h/x?a=1&token=***"),
        (&["t", "https://h/x?sig=abc&b=2"], "t https://h/x?sig=***&b=2"),
        (&["t", "s3://k:abc@b,s3://k:abc@c"], "t s3://k:***@b,s3://k:***@c"),
        (&["t", "https://u:a,abc@h/,http://u:abc@g"], "t https://h/,http://g"),
        (&["t", "--tokens", "abc,def"], "t --tokens ***"),
    ] {
        assert_eq!(redacted(args), stored);
        assert!(!redacted(args).contains("abc"), "{args:?}");
    }
}

#[test]
fn what_training_programs_are_called_with_is_shown() {
    for args in [
        &["train", "--tokenizer", "bert-base", "--max-tokens", "512", "--num_tokens=1e6"][..],
        &["/secrets/token/train", "data.csv"],
        &["train", "--lr=0.1", "model.layers=3", "C:/x:y", "--out", "s3://bucket/a@b"],
        &["train", "--turkish", "--monk", "a", "--url=http://h:80/x?epoch=1"],
    ] {
        assert_eq!(redacted(args), args.join(" "));
    }
}

#[test]
fn variables_come_by_allow_list_and_never_if_they_look_secret() {
    let variables = [
        ("SLURM_JOB_ID", "7"),
        ("SLURM_JWT_TOKEN", "abc"),
        ("OMP_NUM_THREADS", "2"),
        ("HOME", "/root"),
        ("DB_PASSWORD", "abc"),
        ("AWS_SECRET_ACCESS_KEY", "abc"),
        ("MY_CREDENTIALS", "abc"),
        ("OPENAI_API_KEY", "abc"),
        ("OPENAI_APIKEY", "abc"),
        ("SSH_PRIVATE", "abc"),
        ("PASSWD", "abc"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("MLFLOW_URI", "https://u:abc@h/"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let taken = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
        let taken = select(&patterns, variables.clone());
        assert!(!format!("{taken:?}").contains("abc"), "{taken:?}");
        taken.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(taken(&["SLURM_*", "HOME"]), ["HOME=/root", "SLURM_JOB_ID=7"]);
    assert_eq!(
        taken(&["TOKENIZERS_*", "MLFLOW_*", "OMP"]),
        ["MLFLOW_URI=https://h/", "TOKENIZERS_PARALLELISM=false"]
    );
    let secret = ["DB_*", "AWS_*", "MY_*", "OPENAI_*", "SSH_PRIVATE", "PASSWD"];
    assert!(taken(&secret).is_empty());
    assert!(taken(&["*", ""]).is_empty(), "a star alone takes nothing");
    assert!(taken(&[]).is_empty());
}

#[test]
fn no_default_variable_looks_secret() {
    for name in EnvironmentOptions::default().variables {
        assert!(!redact::looks_secret(&name), "{name}");
    }
    assert!(EnvironmentOptions::default().without_variables().variables.is_empty());
}

#[test]
fn the_lock_file_gives_each_crate_its_versions() {
    let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n \
                \"b 2.0.0\",\n]\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\nsource = \"x\"\n\n\
                [[package]]\r\nname = \"b\"\r\nversion = \"3.0.0-rc.1+x\"\r\n\n[[patch.unused]]\n\
                name = \"c\"\nversion = \"9.9.9\"\n";
    let crates = parse_lock(text);
    assert_eq!(format!("{crates:?}"), r#"{"a": ["1.0.0"], "b": ["2.0.0", "3.0.0-rc.1+x"]}"#);
    assert!(parse_lock("<<<<<<< nonsense\n[[package]]\nname =\nversion = ").is_empty());
}

#[test]
fn the_lock_file_is_found_upwards_or_absent() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("x/y");
    fs::create_dir_all(&deep).unwrap();
    let options = EnvironmentOptions::default().with_dir(&deep);
    assert_eq!(Environment::capture(&options).crates, None);
    fs::write(dir.path().join("Cargo.lock"), "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n")
        .unwrap();
    let crates = Environment::capture(&options).crates.unwrap();
    assert_eq!(crates["a"], ["1.0.0"]);
}

#[test]
fn this_machine_and_this_process_are_described() {
    let build = BuildInfo::new("churn", "0.3.1").with_target("x86_64-unknown-linux-musl");
    let env = Environment::capture(&EnvironmentOptions::default().with_build(build.clone()));
    assert_eq!(env.process, std::process::id());
    assert!(env.cpu_cores >= 1 && env.cpu_available >= 1);
    assert!(env.memory_bytes > 1 << 26);
    assert!(env.memory_limit_bytes.is_none_or(|limit| limit < env.memory_bytes));
    assert!(!env.arch.is_empty() && !env.command.is_empty());
    assert!(env.current_dir.is_some());
    assert_eq!(env.build, Some(build));
    let json = serde_json::to_string(&env).unwrap();
    assert_eq!(serde_json::from_str::<Environment>(&json).unwrap(), env);
    assert_eq!(serde_json::from_str::<Environment>("{}").unwrap(), Environment::default());
}

#[test]
#[cfg(target_os = "linux")]
fn the_compiler_is_read_from_the_executable_unless_the_program_tells() {
    let env = Environment::capture(&EnvironmentOptions::default());
    let rustc = env.rustc.unwrap();
    assert!(rustc.starts_with("1.") && rustc.contains('('), "{rustc}");
    let build = BuildInfo::new("p", "1").with_rustc("1.2.3");
    let env = Environment::capture(&EnvironmentOptions::default().with_build(build));
    assert_eq!(env.rustc.as_deref(), Some("1.2.3"));
}

#[test]
fn an_executable_that_is_none_names_no_compiler() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    assert_eq!(built_with::rustc_of(&file), None);
    let whole = fs::read(std::env::current_exe().unwrap()).unwrap();
    for bytes in [&b""[..], b"#!/bin/sh\n", &whole[..64], &whole[..4_096], &[0x7f; 256]] {
        fs::write(&file, bytes).unwrap();
        assert_eq!(built_with::rustc_of(&file), None);
    }
    // Every byte of the header may lie; none may lead astray.
    for at in 16..64 {
        let mut bytes = whole[..64].to_vec();
        bytes[at] = 0xff;
        fs::write(&file, bytes).unwrap();
        assert_eq!(built_with::rustc_of(&file), None);
    }
}

#[test]
fn gpus_are_read_from_the_drivers_files() {
    let dir = tempfile::tempdir().unwrap();
    assert!(gpu::list_files(dir.path()).is_empty());
    for (bus, model) in [("0000:41:00.0", "NVIDIA B"), ("0000:01:00.0", "NVIDIA A100-SXM4-80GB")] {
        let gpu = dir.path().join("gpus").join(bus);
        fs::create_dir_all(&gpu).unwrap();
        let text = format!("Model: \t\t {model}\nIRQ:   \t\t 57\nGPU UUID: \t GPU-1\n");
        fs::write(gpu.join("information"), text).unwrap();
    }
    let version =
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56\nGCC";
    fs::write(dir.path().join("version"), version).unwrap();
    let gpus = gpu::list_files(dir.path());
    let names: Vec<_> = gpus.iter().map(|gpu| gpu.name.as_str()).collect();
    assert_eq!(names, ["NVIDIA A100-SXM4-80GB", "NVIDIA B"]);
    assert_eq!(gpus[0].driver.as_deref(), Some("550.54.15"));
    assert_eq!(gpus[0].memory_bytes, None);
}

#[test]
fn gpus_are_read_from_the_tools_answer() {
    let gpus =
        gpu::parse_list("Tesla T4, 15360 MiB, 535.1.5\nOdd, Name, [N/A], [N/A]\n\ngarbage\n");
    assert_eq!(gpus.len(), 2);
    assert_eq!(gpus[0].memory_bytes, Some(15_360 << 20));
    assert_eq!(gpus[0].driver.as_deref(), Some("535.1.5"));
    assert_eq!((gpus[1].name.as_str(), gpus[1].memory_bytes), ("Odd, Name", None));
    assert_eq!(gpus[1].driver, None);

    let load = gpu::parse_load("50 %, 1024 MiB, 4096 MiB\n[N/A], [N/A], 4096 MiB\n\n");
    assert_eq!(load.len(), 2);
    assert_eq!(load[0].percent, Some(50.0));
    assert_eq!(load[0].memory_used_bytes, Some(1_073_741_824.0));
    assert_eq!(load[0].memory_percent, Some(25.0));
    assert_eq!((load[1].percent, load[1].memory_percent), (None, None));
}

#[test]
fn programs_are_found_in_absolute_directories_only() {
    assert!(command::find_on(OsStr::new("/bin:/usr/bin"), "sh").is_some());
    assert_eq!(command::find_on(OsStr::new("bin:.:"), "sh"), None);
    assert_eq!(command::find_on(OsStr::new("/bin"), "no-such-program"), None);
}
