//! The picture of a tree.

use std::sync::PoisonError;

use super::{ChildState, Shared};

/// One line: the stem with its name, and what stands beside it (continuation lines after a line feed).
struct Line {
    stem: String,
    below: &'static str,
    about: &'static str,
}

pub(super) fn render(shared: &Shared) -> String {
    let states = shared.states.lock().unwrap_or_else(PoisonError::into_inner);
    let running: Vec<_> = shared
        .specs
        .iter()
        .zip(states.iter())
        .filter(|(_, (state, _))| *state == ChildState::Running)
        .map(|(spec, _)| spec)
        .collect();
    let mut lines = Vec::new();
    for (index, spec) in running.iter().enumerate() {
        let last = index + 1 == running.len();
        let (branch, below) = if last {
            ("└── ", "    ")
        } else {
            ("├── ", "│   ")
        };
        lines.push(Line {
            stem: format!("{branch}{}", spec.name),
            below,
            about: spec.about,
        });
        if let Some((name, about)) = spec.dynamic {
            lines.push(Line {
                stem: format!("{below}└── {name}"),
                below,
                about,
            });
        }
    }
    let width = lines
        .iter()
        .map(|line| line.stem.chars().count())
        .max()
        .unwrap_or(0);
    let mut picture = format!(
        "{} (one_for_one, {} crashes / {} s, then the process exits non-zero)\n",
        shared.name,
        shared.intensity.crashes,
        shared.intensity.within.as_secs()
    );
    for line in lines {
        for (number, about) in line.about.split('\n').enumerate() {
            let stem = if number == 0 {
                line.stem.as_str()
            } else {
                line.below
            };
            let row = format!("{stem:width$} {about}");
            picture.push_str(row.trim_end());
            picture.push('\n');
        }
    }
    picture
}

/// The picture in a source file: the first fenced block in its `//!` lines. For the test that compares it with the running tree.
#[must_use]
pub fn picture_in(source: &str) -> String {
    source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .skip_while(|line| !line.starts_with("```"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
