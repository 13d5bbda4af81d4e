//! The program of the README's first screen.
//!
//! ```text
//! cargo run --example quickstart
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to the one who runs it")]

use mlops::{Result, Workspace};

#[tokio::main]
async fn main() -> Result<()> {
    let ws = Workspace::open("./mlops").await?;

    let run = ws.run("churn")?.name("baseline")?.param("lr", 0.1)?.start().await?;
    for step in 0..100 {
        // Never awaits, and survives SIGKILL when it returns.
        run.log_metric("loss", 1.0 / (step as f64 + 1.0), step)?;
    }
    run.log_artifact("notes/plan.md", b"try it".to_vec()).await?;
    run.finish().await?;

    for run in ws.search("metrics.loss < 0.5 and params.lr <= 0.1", &["metrics.loss"]).await? {
        println!("{}: loss {}", run.name, run.metrics["loss"].last);
    }
    Ok(())
}
