//! The `shopctl` command.

use std::process::ExitCode;

use clap::Parser;
use shopctl::cli::{Cli, run};
use shopctl::ui::Ui;

#[tokio::main]
async fn main() -> ExitCode {
    let ui = Ui::detect();
    match run(Cli::parse(), &ui).await {
        Ok(code) => code,
        Err(error) => {
            ui.failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
