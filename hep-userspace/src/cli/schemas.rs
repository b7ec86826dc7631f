//! `hep schemas`.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::exit::Exit;
use crate::view;

/// Write the JSON Schema of each document that `-o json` prints into a directory
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Directory for the files
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let directory = &arguments.directory;
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    for (name, schema) in view::schemas() {
        let path = directory.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(Exit::Ok)
}
