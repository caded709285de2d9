//! One file per subcommand, and what they have in common: exit codes.

mod bench;
mod config;
mod data;
mod entity;
mod fleet;
mod hold;
mod inherited;
mod journal;
mod layers;
mod listeners;
mod log;
mod model;
mod notify;
mod openapi;
mod papers;
mod serve;
mod token;
mod token_file;
mod tree;
mod watch;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// A durable actor runtime that runs shops.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the systems.
    Serve(serve::Serve),
    /// Holds the sockets of a server and runs it on them, one process after the other: redeploys without a refused
    /// connection where there is no systemd.
    Hold(hold::Hold),
    /// Shows what the systems consist of: commands, events, policies, views, links.
    Model(model::Model),
    /// Prints the contract for programs: what each address takes and answers, as `OpenAPI` 3.1.
    Openapi(openapi::Openapi),
    /// Looks at the journals of a data directory, copies them, and brings copies back.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Looks at one entity as the journal has it.
    #[command(subcommand)]
    Entity(entity::Entity),
    /// Puts the loads of the old systems' demonstrations on a server, and audits its books afterwards.
    Bench(bench::Bench),
    /// Issues tokens and API keys, for development and for whoever has no issuer of his own.
    Token(token::Token),
    /// Shows who supervises whom in a running instance.
    Tree(tree::Tree),
    /// Looks at the configuration.
    #[command(subcommand)]
    Config(config::Config),
    /// Prints completions for a shell.
    Completions(papers::Completions),
    /// Prints the manual page, or writes those of all commands.
    Man(papers::Man),
}

/// Why the program ends other than well. The codes are part of its interface.
#[derive(Debug)]
enum Exit {
    /// 2: the command line or the configuration is wrong.
    Usage(anyhow::Error),
    /// 3: data is damaged; nothing was touched.
    Damaged(anyhow::Error),
    /// 4: the address or the data directory is in use.
    InUse(anyhow::Error),
    /// 70: the supervision tree gave up.
    GaveUp(anyhow::Error),
    /// 1: anything else, such as a disk that cannot be read.
    Other(anyhow::Error),
}

impl Exit {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Damaged(_) => 3,
            Self::InUse(_) => 4,
            Self::GaveUp(_) => 70,
            Self::Other(_) => 1,
        }
    }

    fn reason(&self) -> &anyhow::Error {
        match self {
            Self::Usage(reason)
            | Self::Damaged(reason)
            | Self::InUse(reason)
            | Self::GaveUp(reason)
            | Self::Other(reason) => reason,
        }
    }
}

/// Runs the command line.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are no errors; clap knows its own code for the others: 2.
        Err(error) => error.exit(),
    };
    let done = match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Hold(hold) => hold.run(),
        Command::Model(model) => model.run(),
        Command::Openapi(openapi) => openapi.run(),
        Command::Journal(journal) => journal.run(),
        Command::Entity(entity) => entity.run(),
        Command::Bench(bench) => bench.run(),
        Command::Token(token) => token.run(),
        Command::Tree(tree) => tree.run(),
        Command::Config(config) => config.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            complain(&format!("steadfast: {:#}", exit.reason()));
            ExitCode::from(exit.code())
        }
    }
}

/// A line for the person at the terminal, who may have seen enough and closed it.
fn say(line: &str) {
    drop(writeln!(io::stdout(), "{line}"));
}

/// A line about what went wrong.
fn complain(line: &str) {
    eprintln!("{line}");
}
