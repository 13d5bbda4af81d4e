//! The command lines of `mlops validate` and `mlops suite`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueEnum};
use mlops::validation::FileFormat;

use crate::format::parse_pair;

#[derive(Debug, Args)]
#[command(after_help = "\
Needs no store, unless the report is to be attached. Files are written only if the data could be judged,
and then whatever the verdict, which is printed before; with --json the report is also the answer.

Exit codes: 0 the data passed, perhaps with warnings; 2 it did not; 1 it could not be judged, since the
suite does not fit the data, or a file is damaged; 4 a file is not there; 5 a store did not answer.

Examples:
  mlops validate flights.parquet --suite flights.yaml
  mlops validate lake/orders/ --suite orders.yaml --reference customers=customers.parquet
  mlops validate orders.csv --suite orders.yaml --quarantine bad.parquet --html report.html
  mlops validate orders.parquet --suite orders.yaml --history orders-history.json --junit report.xml
  mlops validate train.parquet --suite orders.yaml --model churn/3 --data-digest blake3:7d5c1f3a")]
pub(crate) struct Validate {
    #[command(flatten)]
    pub(crate) input: Input,
    /// The suite, as YAML or JSON; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) suite: PathBuf,
    /// A profile of good data, by the name that the suite calls it; may be repeated
    #[arg(long = "profile", value_name = "NAME=FILE", value_parser = parse_pair)]
    pub(crate) profiles: Vec<(String, String)>,
    /// What earlier runs measured; if nothing fails, this run is added
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Judge as if every warning were an error, and nothing to judge one too
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) pages: Pages,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) attach: Attach,
}

/// What is validated, and what its suite needs besides.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// The data: files of one schema; a path that ends in `/` is the files below it
    #[arg(required = true, value_name = "DATA")]
    pub(crate) data: Vec<String>,
    /// What the files hold, if their names do not say it
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<FormatName>,
    /// Another table, by the name that the suite calls it; may be repeated, one name for several files
    #[arg(long = "reference", value_name = "NAME=DATA", value_parser = parse_pair)]
    pub(crate) references: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) params: Params,
}

/// Data without a suite.
#[derive(Debug, Args)]
pub(crate) struct Table {
    /// The data: files of one schema; a path that ends in `/` is the files below it
    #[arg(required = true, value_name = "DATA")]
    pub(crate) files: Vec<String>,
    /// What the files hold, if their names do not say it
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<FormatName>,
}

#[derive(Debug, Args)]
pub(crate) struct Params {
    /// A value of a parameter of the suite; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub(crate) params: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FormatName {
    Parquet,
    Csv,
    Json,
}

impl From<FormatName> for FileFormat {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Parquet => Self::Parquet,
            FormatName::Csv => Self::Csv,
            FormatName::Json => Self::Json,
        }
    }
}

/// Where the report goes, besides to standard output.
#[derive(Debug, Args)]
pub(crate) struct Pages {
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the report as JUnit XML, for a build server
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the report as Markdown, for a pull request
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Write the rows that failed an error, with their reasons, as Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) quarantine: Option<String>,
    /// No colours, also where standard output is a terminal
    #[arg(long, env = "NO_COLOR", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) no_color: bool,
}

/// How it is done.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Failing rows that are shown of each check, 1,000 at most
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = samples)]
    pub(crate) samples: usize,
    /// Show no values of this column; may be repeated, `*` is all columns
    #[arg(long, value_name = "COLUMN")]
    pub(crate) redact: Vec<String>,
    /// Threads that judge rows; 0 is as many as the machine has
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
    /// Read all values, also where statistics of the files prove the answer
    #[arg(long)]
    pub(crate) no_statistics: bool,
    /// What the report calls the data [default: the first file]
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// The digest of the data, for the report and lineage
    #[arg(long, value_name = "TEXT")]
    pub(crate) data_digest: Option<String>,
}

/// Where in the store the report is kept.
#[derive(Debug, Args)]
pub(crate) struct Attach {
    /// Keep the report with this run, as JSON and HTML: its id, the first digits of it, or its name
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Attach the summary to this version of a model, where gates look for it: churn/3, churn@champion
    #[arg(long, value_name = "VERSION")]
    pub(crate) model: Option<String>,
}

fn samples(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(samples) if samples <= 1_000 => Ok(samples),
        _ => Err("write a number from 0 to 1000".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Suite {
    /// Check a suite without data: parameters, rules and fields
    #[command(after_help = "Example:\n  mlops suite check flights.yaml --param year=2013")]
    Check {
        /// The suite, as YAML or JSON; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        params: Params,
    },
    /// Show the checks of a suite, with its parameters filled in and its includes read
    Show {
        /// The suite, as YAML or JSON; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        params: Params,
        /// As one YAML file
        #[arg(long)]
        yaml: bool,
    },
    /// Write down what good data looks like, column by column: a profile
    #[command(after_help = "\
What `mlops suite suggest` proposes a suite from, and checks of distribution compare with. A profile holds
values of the data: extremes, and those that a column has often.

Example:
  mlops suite profile flights.parquet --out flights-profile.json
  mlops validate today.parquet --suite flights.yaml --profile flights=flights-profile.json")]
    Profile {
        #[command(flatten)]
        data: Table,
        /// Where the profile is written, as JSON [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Propose a suite from good data or a profile of it, with a reason for each check
    #[command(after_help = "\
A file is taken for data if its name ends in .parquet, .csv, .jsonl or .ndjson, or --as says what it holds,
else for a profile, as `mlops suite profile` writes one; `-` is a profile from standard input. The suite goes
to standard output or --out, reasons to standard error; with --json both are one document.

Examples:
  mlops suite suggest flights.parquet --name flights --out flights.yaml
  mlops suite suggest flights-profile.json --name flights --out flights.yaml")]
    Suggest {
        #[command(flatten)]
        data: Table,
        /// The suite's name
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Where the suite is written, as YAML
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make a suite of one of Great Expectations, and list what has no counterpart
    #[command(after_help = "\
The suite goes to standard output or --out, remarks to standard error; with --json both are one document.

Example:
  mlops suite import-gx expectations/orders.json --out orders.yaml")]
    ImportGx {
        /// The suite of Great Expectations, as JSON; `-` is standard input
        file: PathBuf,
        /// Where the suite is written, as YAML
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Show how a suite differs from an older one, and what lets more data through
    #[command(after_help = "\
Example, where a looser suite needs somebody's consent:
  mlops suite diff main/flights.yaml flights.yaml --refuse-looser")]
    Diff {
        /// The older suite
        old: PathBuf,
        /// The newer suite
        new: PathBuf,
        #[command(flatten)]
        params: Params,
        /// Exit with 2 if data may pass that failed before
        #[arg(long)]
        refuse_looser: bool,
    },
}
