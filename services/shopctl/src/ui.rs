//! All printing of `shopctl`: colours only on a terminal that wants them, one spinner line for what is under way.

use std::fmt::Display;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use devstack::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// A colour or weight of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Headlines.
    Bold,
    /// What matters less.
    Dim,
    /// Good ends.
    Green,
    /// Bad ends.
    Red,
    /// Ends that are neither.
    Yellow,
    /// Names.
    Cyan,
    /// Names, second colour.
    Magenta,
    /// Names, third colour.
    Blue,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Cyan => "36",
            Self::Magenta => "35",
            Self::Blue => "34",
        }
    }
}

/// Where `shopctl` prints to.
pub struct Ui {
    colour: bool,
    terminal: bool,
    spinner: Mutex<Option<ProgressBar>>,
}

impl Ui {
    /// Looks at the standard output and at `NO_COLOR`.
    #[must_use]
    pub fn detect() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Self {
            colour,
            terminal,
            spinner: Mutex::new(None),
        }
    }

    /// Plain text, no spinner: for tests and files.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            colour: false,
            terminal: false,
            spinner: Mutex::new(None),
        }
    }

    /// The text in a style, when colours are on.
    #[must_use]
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        if self.colour {
            format!("\u{1b}[{}m{text}\u{1b}[0m", style.code())
        } else {
            text.to_string()
        }
    }

    /// Prints a line.
    pub fn line(&self, text: impl Display) {
        self.done();
        print_line(&text.to_string());
    }

    /// Shows what is under way where a spinner can, and nothing elsewhere.
    pub fn busy(&self, text: &str) {
        if self.terminal {
            self.step(text);
        }
    }

    /// Prints a line of a service's log without disturbing the spinner.
    pub fn log_line(&self, name: &str, text: &str) {
        let style = match name {
            "gateway" => Style::Cyan,
            "orders" => Style::Green,
            "inventory" => Style::Magenta,
            _ => Style::Blue,
        };
        let line = format!("{} {text}", self.paint(style, format!("{name:>9} │")));
        match self.spinner.lock().ok().as_deref() {
            Some(Some(spinner)) => spinner.println(line),
            _ => print_line(&line),
        }
    }

    /// Prints an error to the standard error.
    #[expect(
        clippy::disallowed_macros,
        reason = "this module is where shopctl prints"
    )]
    pub fn failure(&self, text: &str) {
        self.done();
        eprintln!("{} {text}", self.paint(Style::Red, "error:"));
    }

    /// Removes the spinner.
    pub fn done(&self) {
        if let Some(spinner) = self
            .spinner
            .lock()
            .ok()
            .and_then(|mut spinner| spinner.take())
        {
            spinner.finish_and_clear();
        }
    }
}

impl Progress for Ui {
    fn step(&self, text: &str) {
        const FRAME: Duration = Duration::from_millis(90);
        if !self.terminal {
            print_line(&format!("· {text}"));
            return;
        }
        let Ok(mut spinner) = self.spinner.lock() else {
            return;
        };
        let bar = spinner.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            // The template is a constant that the test below renders.
            if let Ok(style) = ProgressStyle::with_template(SPINNER) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(FRAME);
            bar
        });
        bar.set_message(text.to_owned());
    }
}

const SPINNER: &str = "{spinner:.cyan} {msg} {elapsed:.dim}";

#[expect(
    clippy::disallowed_macros,
    reason = "this module is where shopctl prints"
)]
fn print_line(text: &str) {
    println!("{text}");
}

/// A duration as people say it: `4.2 ms`, `1.3 s`.
#[must_use]
pub fn human(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1_000.0;
    if millis < 10.0 {
        format!("{millis:.1} ms")
    } else if millis < 1_000.0 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", millis / 1_000.0)
    }
}

/// An amount as people write it: `58.70 EUR`.
#[must_use]
pub fn money(cents: i64, currency: &str) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02} {currency}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_amounts_read_well() {
        assert_eq!(human(Duration::from_micros(4_210)), "4.2 ms");
        assert_eq!(human(Duration::from_millis(420)), "420 ms");
        assert_eq!(human(Duration::from_millis(1_340)), "1.3 s");
        assert_eq!(money(5_870, "EUR"), "58.70 EUR");
        assert_eq!(money(-5, "EUR"), "-0.05 EUR");
    }

    #[test]
    fn plain_output_has_no_escapes() {
        assert_eq!(Ui::plain().paint(Style::Red, "x"), "x");
    }

    #[test]
    fn the_spinner_template_is_valid() {
        assert!(ProgressStyle::with_template(SPINNER).is_ok());
    }
}
