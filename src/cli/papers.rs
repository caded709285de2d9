//! What a package has beside the program: completions for shells, and manual pages.

use std::{fs, io::Write, path::PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Exit, say};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// For which shell: `steadfast completions bash > /usr/share/bash-completion/completions/steadfast`.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Writes a page for each command into this directory, as steadfast-serve.1; without it the first page is printed.
    #[arg(long)]
    to: Option<PathBuf>,
}

impl Completions {
    pub(super) fn run(&self) -> Result<(), Exit> {
        let mut script = Vec::new();
        let mut command = Arguments::command();
        let name = command.get_name().to_owned();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        print(&script)
    }
}

impl Man {
    pub(super) fn run(&self) -> Result<(), Exit> {
        let command = Arguments::command();
        let Some(directory) = &self.to else {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command).render(&mut page);
            rendered.context("cannot write the page").map_err(Exit::Other)?;
            return print(&page);
        };
        let written = fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
        written.with_context(|| format!("cannot write into {}", directory.display())).map_err(Exit::Other)?;
        say(&format!("the pages are in {}", directory.display()));
        Ok(())
    }
}

fn print(text: &[u8]) -> Result<(), Exit> {
    std::io::stdout().write_all(text).context("cannot write to standard output").map_err(Exit::Other)
}
