//! The SQL texts, run in real engines: all tricky cases and a random history against the oracle.

#[path = "sql/engines.rs"]
mod engines;
#[path = "sql/histories.rs"]
mod histories;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mlops_testkit::strict;

use self::engines::{DuckDb, Engine, Postgres, Unavailable};

fn main() {
    let tests = vec![
        Trial::ignorable_test("duckdb", || run(DuckDb::open())),
        Trial::ignorable_test("postgres", || run(Postgres::open())),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

fn run<E: Engine>(engine: Result<E, Unavailable>) -> Result<Completion, Failed> {
    match engine {
        Ok(engine) => {
            histories::tricky_cases(&engine);
            histories::random_history(&engine);
            Ok(Completion::Completed)
        }
        Err(Unavailable(why)) if strict() => Err(format!("engine is absent: {why}").into()),
        Err(Unavailable(why)) => Ok(Completion::ignored_with(why)),
    }
}
