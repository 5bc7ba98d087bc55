//! The environment as text: reads keys, collects every problem, refuses keys that nobody knows.
//!
//! Any `SHOPAPI_X` may come as `SHOPAPI_X_FILE`, a file whose trimmed content is the value: that is how platforms hand out secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Every key of ours starts with it.
pub(crate) const PREFIX: &str = "SHOPAPI_";

/// A key with this ending names a file with the value.
const FILE_SUFFIX: &str = "_FILE";
/// A value is a line or a few; a larger file is a mistake, and reading it would be another.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The variables that concern us, and what was wrong with them so far.
#[derive(Debug)]
pub(crate) struct Env {
    values: BTreeMap<String, String>,
    /// Where the values of some keys came from.
    files: BTreeMap<String, PathBuf>,
    /// Keys whose file could not be read.
    unreadable: Vec<String>,
    problems: Vec<String>,
}

/// Everything that is wrong with the environment: one line each, with the variable and what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Problems(pub(crate) Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shopapi: the environment has to be changed:")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl Env {
    /// Takes what may concern us out of the process's variables.
    pub(crate) fn new(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut env = Self {
            values: BTreeMap::new(),
            files: BTreeMap::new(),
            unreadable: Vec::new(),
            problems: Vec::new(),
        };
        for (key, value) in variables {
            let Ok(key) = key.into_string() else { continue };
            let ours = key.starts_with(PREFIX)
                || key.starts_with("OTEL_")
                || ["RUST_LOG", "LOG_FORMAT"].contains(&key.as_str());
            if !ours {
                continue;
            }
            match value.into_string() {
                Ok(value) => {
                    env.values.insert(key, value);
                }
                Err(_) => env.problem(&key, "is not valid UTF-8"),
            }
        }
        env.read_files();
        env
    }

    /// Replaces each `SHOPAPI_X_FILE` by `SHOPAPI_X` with the file's content.
    fn read_files(&mut self) {
        let files: Vec<(String, String)> = self
            .values
            .iter()
            .filter(|(key, _)| key.starts_with(PREFIX) && key.ends_with(FILE_SUFFIX))
            .map(|(key, path)| (key.clone(), path.trim().to_owned()))
            .collect();
        for (file_key, path) in files {
            self.values.remove(&file_key);
            let key = file_key.trim_end_matches(FILE_SUFFIX).to_owned();
            if path.is_empty() {
                continue;
            }
            if self.text(&key).is_some() {
                self.problem(
                    &file_key,
                    format_args!("is set and so is {key}: remove one of them"),
                );
                continue;
            }
            match read(Path::new(&path)) {
                Ok(value) => {
                    self.files.insert(key.clone(), PathBuf::from(path));
                    self.values.insert(key, value);
                }
                Err(why) => {
                    // The key has its problem: it is not missing as well.
                    self.unreadable.push(key);
                    self.problem(&file_key, format_args!("names {path}, {why}"));
                }
            }
        }
    }

    /// Records what is wrong with a variable. The text never repeats its value, which may be a secret.
    pub(crate) fn problem(&mut self, key: &str, text: impl fmt::Display) {
        let line = format!("{key} {text}");
        // A variable that several others depend on is read several times.
        if !self.problems.contains(&line) {
            self.problems.push(line);
        }
    }

    /// The value of a key; an empty one counts as absent, because that is how templates leave things out.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.values
            .get(key)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The file that a key's value came from, for values that are followed while the process runs.
    pub(crate) fn file(&self, key: &str) -> Option<&Path> {
        self.files.get(key).map(PathBuf::as_path)
    }

    /// A key that must be there.
    pub(crate) fn required<T, E: fmt::Display>(
        &mut self,
        key: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.unreadable.iter().any(|unreadable| unreadable == key) {
            return None;
        }
        if self.text(key).is_none() {
            self.problem(
                key,
                format_args!("is missing: set it, for example to {example}"),
            );
            return None;
        }
        self.optional(key, parse)
    }

    /// A key that may be there. `None` also when it is wrong, which is recorded.
    pub(crate) fn optional<T, E: fmt::Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = parse(self.text(key)?);
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error);
                None
            }
        }
    }

    /// A key with a default.
    pub(crate) fn or<T, E: fmt::Display>(
        &mut self,
        key: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        self.optional(key, parse).unwrap_or(default)
    }

    /// Ends the reading: `built` when nothing was wrong, every problem otherwise.
    pub(crate) fn finish<T>(mut self, known: &[&str], built: Option<T>) -> Result<T, Problems> {
        let unknown: Vec<String> = self
            .values
            .keys()
            .filter(|key| key.starts_with(PREFIX) && !known.contains(&key.as_str()))
            .cloned()
            .collect();
        for key in unknown {
            match closest(&key, known) {
                Some(meant) => {
                    self.problem(&key, format_args!("is not known: did you mean {meant}?"));
                }
                None => self.problem(&key, "is not known: remove it"),
            }
        }
        match built {
            Some(built) if self.problems.is_empty() => Ok(built),
            _ => Err(Problems(self.problems)),
        }
    }
}

/// A file's trimmed content, or why it has none.
fn read(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("which cannot be read: {error}");
    let file = std::fs::metadata(path).map_err(cannot)?;
    // A device or a pipe may have no end.
    if !file.is_file() {
        return Err("which is not a file".to_owned());
    }
    if file.len() > FILE_BYTES_MAX {
        return Err(format!("which is larger than {FILE_BYTES_MAX} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    Ok(text.trim().to_owned())
}

/// The known key that a mistyped one is nearest to, if any is near.
fn closest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    /// More edits than this are another word.
    const EDITS_MAX: usize = 3;
    known
        .iter()
        .map(|candidate| (edits(key, candidate), *candidate))
        .filter(|(distance, _)| *distance <= EDITS_MAX)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, by bytes: keys are ASCII.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *cell;
            left = (diagonal + usize::from(from != to))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env::new(
            pairs
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into())),
        )
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_variable() {
        let mut env = env(&[
            ("SHOPAPI_A", "x"),
            ("SHOPAPI_HTPP_ADDR", "y"),
            ("SHOPAPI_ZZZZZZZZ", "1"),
            ("HOME", "/"),
        ]);
        let number = env.required("SHOPAPI_A", "7", str::parse::<u16>);
        let missing = env.required("SHOPAPI_B", "8", str::parse::<u16>);
        let problems = env
            .finish(
                &["SHOPAPI_A", "SHOPAPI_B", "SHOPAPI_HTTP_ADDR"],
                number.zip(missing),
            )
            .unwrap_err();
        assert_eq!(
            problems.0,
            [
                "SHOPAPI_A invalid digit found in string",
                "SHOPAPI_B is missing: set it, for example to 8",
                "SHOPAPI_HTPP_ADDR is not known: did you mean SHOPAPI_HTTP_ADDR?",
                "SHOPAPI_ZZZZZZZZ is not known: remove it",
            ]
        );
        assert!(problems.to_string().lines().count() == 5);
    }

    #[test]
    fn an_empty_value_is_an_absent_one() {
        let mut env = env(&[("SHOPAPI_A", "  ")]);
        assert_eq!(env.or("SHOPAPI_A", 7, str::parse::<u16>), 7);
        assert_eq!(env.finish(&["SHOPAPI_A"], Some(())), Ok(()));
    }

    #[test]
    fn a_value_may_come_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        std::fs::write(&file, " 7\n").unwrap();
        let path = file.to_str().unwrap();
        let mut from_file = env(&[("SHOPAPI_A_FILE", path)]);
        assert_eq!(
            from_file.required("SHOPAPI_A", "7", str::parse::<u16>),
            Some(7)
        );
        assert_eq!(from_file.finish(&["SHOPAPI_A"], Some(())), Ok(()));

        let both = env(&[("SHOPAPI_A", "7"), ("SHOPAPI_A_FILE", path)]);
        assert_eq!(
            both.finish(&["SHOPAPI_A"], Some(())).unwrap_err().0,
            ["SHOPAPI_A_FILE is set and so is SHOPAPI_A: remove one of them"]
        );
        let unknown = env(&[("SHOPAPI_B_FILE", path)]);
        assert!(unknown.finish(&["SHOPAPI_A"], Some(())).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            dir.path().join("none"),
            dir.path().to_owned(),
            "/dev/zero".into(),
        ] {
            let path = path.to_str().unwrap();
            let mut env = env(&[("SHOPAPI_A_FILE", path)]);
            assert_eq!(env.required("SHOPAPI_A", "7", str::parse::<u16>), None);
            let problems = env.finish(&["SHOPAPI_A"], Some(())).unwrap_err().0;
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains(path), "{problems:?}");
        }
    }

    #[test]
    fn an_empty_file_is_an_absent_value_that_may_come_later() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("empty");
        std::fs::write(&file, "\n").unwrap();
        let env = env(&[("SHOPAPI_A_FILE", file.to_str().unwrap())]);
        assert_eq!(env.text("SHOPAPI_A"), None);
        assert_eq!(env.file("SHOPAPI_A"), Some(file.as_path()));
    }

    #[test]
    fn a_value_that_is_no_text_is_a_problem() {
        use std::os::unix::ffi::OsStringExt as _;
        let pair = ("SHOPAPI_A".into(), OsString::from_vec(vec![0xff]));
        let problems = Env::new(std::iter::once(pair))
            .finish(&["SHOPAPI_A"], Some(()))
            .unwrap_err();
        assert_eq!(problems.0, ["SHOPAPI_A is not valid UTF-8"]);
    }

    #[test]
    fn distances_are_counted_in_edits() {
        assert_eq!(edits("abc", "abc"), 0);
        assert_eq!(edits("abc", "axc"), 1);
        assert_eq!(edits("abc", "ab"), 1);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
