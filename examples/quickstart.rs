//! The program of the README's first screen.
//!
//! ```text
//! cargo run --example quickstart
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to the one who runs it")]

use mlops::registry::Stage;
use mlops::{Result, Workspace};

#[tokio::main]
async fn main() -> Result<()> {
    let ws = Workspace::open("./mlops").await?;

    let run = ws.run("churn")?.name("baseline")?.param("lr", 0.1)?.start().await?;
    for step in 0..100 {
        // Never awaits, and survives SIGKILL when it returns.
        run.log_metric("loss", 1.0 / (step as f64 + 1.0), step)?;
    }
    run.log_artifact("model/weights.json", b"[0.5, 1.5]".to_vec()).await?;
    run.finish().await?;

    for run in ws.search("metrics.loss < 0.5 and params.lr <= 0.1", &["metrics.loss"]).await? {
        println!("{}: loss {}", run.name, run.metrics["loss"].last);
    }
    // A version is immutable: files, metrics, params, data and code of the run, under one digest.
    let models = ws.models();
    models.register("churn")?.from_run(run.id()).artifacts("model").register().await?;
    let plan = models.promotion_plan("churn/latest", Stage::Production, "first").await?;
    models.apply(&plan).await?;
    println!("{}", models.resolve("models:/churn/Production").await?);
    Ok(())
}
