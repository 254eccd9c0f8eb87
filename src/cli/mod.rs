//! The command line: reads arguments, calls what they name, and writes for people or for programs.

mod admin;
mod args;
mod audit;
mod check_config;
mod clock;
mod confirmation;
mod database;
mod demo;
mod deploy;
mod doctor;
pub mod exit;
mod extension;
mod failure;
mod generate_key;
mod import;
mod instance;
mod lookup;
mod manager_tls;
mod output;
mod paging;
mod pbx;
pub mod reference;
mod secret_argument;
mod serve;
mod session;
mod templates;
mod tenant;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use clap::Parser as _;
use clap::error::ErrorKind;

use self::args::{Arguments, Command, ConfigCommand, KeyCommand};
use self::exit::Exit;
use self::failure::Failure;
use self::output::{Form, Output};
use crate::config::{Config, DEFAULT_FILE, Environment, Loaded};
use crate::daemon::memory::keep_pages_small;

/// Runs the process's command.
#[must_use]
pub fn main() -> ExitCode {
    keep_pages_small();
    let console = Console {
        colour: AutoStream::choice(&io::stdout()) != ColorChoice::Never,
        error_colour: AutoStream::choice(&io::stderr()) != ColorChoice::Never,
        progress: io::stderr().is_terminal(),
        // Not locked: a task that logs would wait for the end of the command.
        out: &mut io::stdout(),
        err: &mut io::stderr(),
    };
    run(std::env::args_os(), &Environment::of_process(), console).into()
}

/// Where a command writes, and whether there is a terminal that shows colours.
struct Console<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    colour: bool,
    error_colour: bool,
    /// Whether standard error may be drawn on while a command works.
    progress: bool,
}

/// What a command may use.
struct Context<'a> {
    config: Option<PathBuf>,
    environment: &'a Environment,
    output: Output<'a>,
}

impl Context<'_> {
    /// The configuration that the arguments and the environment name; warnings go to standard error.
    fn load(&mut self) -> Result<Loaded, Failure> {
        let loaded = self.read()?;
        for warning in &loaded.warnings {
            self.output.warn(warning)?;
        }
        Ok(loaded)
    }

    /// The same, with the warnings left to the caller.
    fn read(&self) -> Result<Loaded, Failure> {
        // One that may not be looked at is read all the same, and said to be closed.
        let is_there = || Path::new(DEFAULT_FILE).try_exists().unwrap_or(true);
        let usual = || is_there().then(|| DEFAULT_FILE.into());
        let file = self.config.clone().or_else(usual);
        Ok(Config::load(file.as_deref(), self.environment)?)
    }
}

fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
    console: Console<'_>,
) -> Exit {
    let words: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error, words.iter().any(|word| word == "--json"), console),
    };
    let colour = |terminal: bool| match arguments.color {
        args::Color::Auto => terminal,
        args::Color::Always => true,
        args::Color::Never => false,
    };
    let output = Output {
        form: if arguments.json { Form::Json } else { Form::Text },
        colour: colour(console.colour),
        error_colour: colour(console.error_colour),
        progress: console.progress && !arguments.json,
        out: console.out,
        err: console.err,
    };
    let mut context = Context {
        config: arguments.config,
        environment,
        output,
    };
    let done = match arguments.command {
        Command::Serve => serve::run(&context),
        Command::Demo(demo) => demo::run(&mut context, demo),
        Command::Config(ConfigCommand::Check) => check_config::run(&mut context),
        Command::Key(KeyCommand::Generate { out }) => generate_key::run(&mut context, &out),
        Command::Db(command) => database::run(&mut context, &command),
        Command::Admin(command) => admin::run(&mut context, command),
        Command::Doctor => doctor::run(&mut context),
        Command::Pbx(command) => pbx::run(&mut context, command),
        Command::Instance(command) => instance::run(&mut context, command),
        Command::Tenant(command) => tenant::run(&mut context, command),
        Command::Extension(command) => extension::run(&mut context, command),
        Command::Import(command) => import::run(&mut context, command),
        Command::Deploy(command) => deploy::run(&mut context, command),
        Command::Audit(command) => audit::run(&mut context, command),
        Command::Clock(command) => clock::run(&mut context, &command),
        Command::Templates(command) => templates::run(&mut context, &command),
    };
    match done.and_then(|()| Ok(context.output.out.flush()?)) {
        Ok(()) => Exit::Ok,
        // Whoever read the output has seen enough of it: `switchyard … | head`.
        Err(failure) if failure.is_broken_pipe() => Exit::Ok,
        Err(failure) => {
            let exit = failure.exit();
            match context.output.fail(&failure) {
                Ok(()) => exit,
                Err(_) => Exit::Failure,
            }
        }
    }
}

/// Writes what clap has to say: help and version, or what is wrong with the arguments.
fn explain(error: &clap::Error, in_json: bool, console: Console<'_>) -> Exit {
    let (writer, colour, exit) = match error.kind() {
        _ if !error.use_stderr() => (console.out, console.colour, Exit::Ok),
        // The argument is known, its value is wrong.
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            (console.err, console.error_colour, Exit::InvalidInput)
        }
        _ => (console.err, console.error_colour, Exit::Usage),
    };
    let text = error.render();
    let written = if in_json && exit != Exit::Ok {
        let text = text.to_string();
        let message = text.trim_end().trim_start_matches("error: ");
        writeln!(writer, "{}", output::error(exit, message, &[]))
    } else if colour {
        write!(writer, "{}", text.ansi())
    } else {
        write!(writer, "{text}")
    };
    match written {
        Ok(()) => exit,
        Err(_) => Exit::Failure,
    }
}

#[cfg(test)]
mod tests;
