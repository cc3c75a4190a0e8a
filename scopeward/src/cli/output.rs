//! Standard output and standard error of a command.
//!
//! `println!` panics when its text cannot be written. A pipe whose reader has gone (`… | head`), or a
//! full disk, is no mistake of this program. So the first error is remembered, what follows is not
//! written, and [`outcome`] says how the command ends.

use std::{
    fmt::Arguments,
    io::{self, ErrorKind, Write},
    process::ExitCode,
    sync::OnceLock,
};

use anstream::ColorChoice;

use super::FAILED;

/// Whether the output has colours: as was chosen, or by the variables that programs agree on, or where
/// it is a terminal.
pub(super) fn choose_colour(chosen: Option<&str>) {
    let set = |name: &str| {
        std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| {
            !["0", "false", "no", "off", "never"].contains(&value.to_ascii_lowercase().as_str())
        })
    };
    let by_variables = || {
        // https://no-color.org: any value but an empty one.
        if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return ColorChoice::Never;
        }
        match (set("FORCE_COLOR"), set("CLICOLOR_FORCE")) {
            (Some(true), _) | (None, Some(true)) => ColorChoice::Always,
            (Some(false), _) => ColorChoice::Never,
            (None, _) => ColorChoice::Auto,
        }
    };
    match chosen {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => by_variables(),
    }
    .write_global();
}

/// The exit code after a pipe was closed: that of a program that SIGPIPE ends, which shells know.
const CLOSED_PIPE: u8 = 128 + 13;

/// The first error of standard output.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Writes to standard output, with colours if it is a terminal.
macro_rules! out {
    ($($argument:tt)*) => { $crate::cli::output::write(format_args!($($argument)*)) };
}

/// Writes a line to standard output, with colours if it is a terminal.
macro_rules! outln {
    ($($argument:tt)*) => { $crate::cli::output::write_line(format_args!($($argument)*)) };
}

/// Writes text for programs to standard output, as it is.
macro_rules! out_raw {
    ($($argument:tt)*) => { $crate::cli::output::write_raw(format_args!($($argument)*)) };
}

/// Writes to standard error. An error is ignored, because there is no other place to report it.
macro_rules! err {
    ($($argument:tt)*) => { $crate::cli::output::write_error(format_args!($($argument)*)) };
}

/// Writes a line to standard error, as [`err`] does.
macro_rules! errln {
    ($($argument:tt)*) => {{
        $crate::cli::output::write_error(format_args!($($argument)*));
        $crate::cli::output::write_error(format_args!("\n"));
    }};
}

pub(super) fn write(text: Arguments<'_>) {
    write_to(&mut anstream::stdout().lock(), text);
}

pub(super) fn write_line(text: Arguments<'_>) {
    write_to(&mut anstream::stdout().lock(), format_args!("{text}\n"));
}

pub(super) fn write_raw(text: Arguments<'_>) {
    write_to(&mut io::stdout().lock(), text);
}

pub(super) fn write_error(text: Arguments<'_>) {
    let _ = anstream::stderr().lock().write_fmt(text);
}

fn write_to(output: &mut dyn Write, text: Arguments<'_>) {
    if is_closed() {
        return;
    }
    if let Err(error) = output.write_fmt(text).and_then(|()| output.flush()) {
        failed(error);
    }
}

/// Records that standard output cannot be written.
pub(super) fn failed(error: io::Error) {
    let _ = FAILURE.set(error);
}

/// Whether standard output cannot be written any more.
pub(super) fn is_closed() -> bool {
    FAILURE.get().is_some()
}

/// How the command ends: as `otherwise`, unless standard output could not be written.
pub(super) fn outcome(otherwise: ExitCode) -> ExitCode {
    match FAILURE.get() {
        None => otherwise,
        Some(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(CLOSED_PIPE),
        Some(error) => {
            errln!("error: cannot write to standard output: {error}");
            ExitCode::from(FAILED)
        }
    }
}
