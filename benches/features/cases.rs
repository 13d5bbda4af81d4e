//! A fresh process for each case, several times, and the median of what they print.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Sizes, online, pit, write};

/// All figures whose names begin with one of these; all, if none is named.
pub(crate) fn all(names: &[String], sizes: &Sizes) {
    let wanted =
        |case: &str| names.is_empty() || names.iter().any(|name| case.starts_with(name.as_str()));
    let mut stores = vec!["embedded"];
    if sizes.redis.is_some() {
        stores.push("redis");
    }
    for features in &sizes.features {
        for entities in &sizes.entities {
            let case = format!("pit:foreign:{features}:{entities}");
            if wanted(&case) {
                run(&case, sizes, sizes.rounds);
            }
        }
        let own = |entities| format!("pit:own:{features}:{entities}");
        if wanted("append") || sizes.entities.iter().any(|entities| wanted(&own(entities))) {
            run(&format!("append:{features}"), sizes, 1);
        }
        for case in sizes.entities.iter().map(own).filter(|case| wanted(case)) {
            run(&case, sizes, sizes.rounds);
        }
    }
    for store in &stores {
        for features in [10, 50] {
            let case = format!("online:{store}:{features}");
            if wanted(&case) {
                run(&case, sizes, sizes.rounds);
            }
        }
    }
    for store in &stores {
        let case = format!("materialize:{store}");
        if wanted(&case) {
            run(&format!("latest:{store}"), sizes, 1);
            run(&case, sizes, sizes.rounds.max(5));
        }
    }
}

/// One case, once, in this process.
pub(crate) fn case(case: &str, sizes: &Sizes) {
    let parts: Vec<&str> = case.split(':').collect();
    let number = |text: &str| text.parse::<u64>().unwrap();
    match parts.as_slice() {
        ["pit", from, features, entities] => {
            pit::pit(from, number(features), number(entities), sizes);
        }
        ["append", rows] => write::append(number(rows), sizes),
        ["online", store, features] => online::online(store, number(features), sizes),
        ["latest", store] => write::latest(store, sizes),
        ["materialize", store] => write::materialize(store, sizes),
        _ => panic!("there is no case {case}"),
    }
}

/// Prints of each line of a case that of the median CPU time.
fn run(case: &str, sizes: &Sizes, rounds: usize) {
    let mut printed: Vec<Vec<Value>> = Vec::new();
    for round in 0..rounds.max(1) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--case", case, "--dir"]).arg(&sizes.dir).arg("--work").arg(&sizes.work);
        if let Some(redis) = &sizes.redis {
            command.args(["--redis", redis]);
        }
        // Once is enough, and others need the machine too.
        if round == 0 {
            command.arg("--verify");
        }
        let done = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(done.status.success(), "{case}");
        let text = String::from_utf8(done.stdout).unwrap();
        for (at, line) in text.lines().enumerate() {
            if printed.len() == at {
                printed.push(Vec::new());
            }
            printed[at].push(serde_json::from_str(line).unwrap());
        }
    }
    for mut lines in printed {
        let cpu = |line: &Value| {
            line["cpu_s"].as_f64().or_else(|| line["cpu_us_per_call"].as_f64()).unwrap()
        };
        lines.sort_by(|a, b| cpu(a).total_cmp(&cpu(b)));
        let least = cpu(&lines[0]);
        let mut line = lines.swap_remove(lines.len() / 2);
        line["rounds"] = rounds.into();
        line["cpu_min"] = least.into();
        println!("{line}");
    }
}
