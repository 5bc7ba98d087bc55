//! The one place that knows SQLSTATE: from a driver error to what a writer has to do about it.
//!
//! | class | SQLSTATE | what it means for the writer |
//! |---|---|---|
//! | `Data` | 22, 23 | these values are refused: halve the batch to find the entry |
//! | `Retry` | 40 (but 40003), 55P03, 57014 | nothing was written: repeat the whole |
//! | `Disconnected` | 53, 57P03, 25P03, 25006 | nothing was written: the database is not there for us now |
//! | `Unknown` | 08, 57P01/02/04/05, 40003, connection broke | sent, no answer: repeat the identical command, find out whose write it was |
//! | `StalePlan` | 26, 0A000 from the plan cache | nothing was written: forget the prepared statements and repeat |
//! | `Other` | the rest | our own mistake or a damaged database: needs a person |
//!
//! A server that shuts down (57P01) may send its farewell after the commit of the statement we wait for, so it counts as `Unknown` and not
//! as "nothing happened". The same holds for a connection that breaks: the driver does not tell whether the bytes had left.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

/// What a failed statement asks of its sender; see the table of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The database refused these values for good.
    Data,
    /// Nothing was written; the same command may succeed when repeated.
    Retry,
    /// Nothing was written and the database cannot be reached.
    Disconnected,
    /// The command was sent and its outcome is not known.
    Unknown,
    /// Nothing was written; a cached plan no longer fits the schema.
    StalePlan,
    /// A mistake in our SQL, a missing privilege or a damaged database. Nothing was written.
    Other,
}

/// A failed statement: its class and a text for the log, without row values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// What to do about it.
    pub class: FailureClass,
    /// For logs, never for callers outside.
    pub text: String,
}

/// No connection could be had; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("database not reachable: {reason}")]
pub struct Disconnected {
    /// For logs, never for callers outside.
    pub reason: String,
}

impl From<Disconnected> for Failure {
    fn from(disconnected: Disconnected) -> Self {
        Self {
            class: FailureClass::Disconnected,
            text: disconnected.to_string(),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            class: classify(error),
            text: describe(error).to_string(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// The class of an error that a *statement* ended with; errors of connecting are [`Disconnected`] by type.
#[must_use]
pub fn classify(error: &Error) -> FailureClass {
    if let Some(db) = error.as_db_error() {
        return classify_code(db.code().code(), db.routine());
    }
    if error.is_closed() {
        return FailureClass::Unknown;
    }
    let broke = error
        .source()
        .is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_some());
    if broke {
        FailureClass::Unknown
    } else {
        FailureClass::Other
    }
}

/// The table of the module as a function, so that it can be tested without a server.
fn classify_code(code: &str, routine: Option<&str>) -> FailureClass {
    match code {
        "40003" => return FailureClass::Unknown,
        "55P03" | "57014" => return FailureClass::Retry,
        "57P03" | "25P03" | "25006" => return FailureClass::Disconnected,
        // `0A000` is any unsupported feature; only the plan cache's is cured by preparing again.
        "0A000" if routine == Some("RevalidateCachedQuery") => return FailureClass::StalePlan,
        _ => {}
    }
    match code.get(..2) {
        Some("22" | "23") => FailureClass::Data,
        Some("40") => FailureClass::Retry,
        Some("53") => FailureClass::Disconnected,
        Some("08" | "57") => FailureClass::Unknown,
        Some("26") => FailureClass::StalePlan,
        _ => FailureClass::Other,
    }
}

/// The constraint that a refusal is about, when it is about one.
#[must_use]
pub fn constraint(error: &Error) -> Option<&str> {
    error.as_db_error().and_then(DbError::constraint)
}

/// An error for the log. The driver's own text is only "db error"; the server's `DETAIL` is left out because it quotes row values.
#[must_use]
pub fn describe(error: &Error) -> Described<'_> {
    Described(error)
}

/// See [`describe`].
#[derive(Debug)]
pub struct Described<'a>(&'a Error);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(db) = self.0.as_db_error() else {
            write!(f, "{}", self.0)?;
            return match self.0.source() {
                Some(cause) => write!(f, ": {cause}"),
                None => Ok(()),
            };
        };
        write!(f, "{} {}", db.severity(), db.code().code())?;
        // A class 22 message quotes the value it refuses (`invalid input syntax for type integer: "…"`), so only the code is kept.
        if db.code().code().starts_with("22") {
            f.write_str(": value refused")?;
        } else {
            write!(f, ": {}", db.message())?;
        }
        for (name, value) in [
            ("table", db.table()),
            ("column", db.column()),
            ("constraint", db.constraint()),
        ] {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_the_table_is_told_apart() {
        use FailureClass::{Data, Disconnected, Other, Retry, StalePlan, Unknown};
        let table = [
            ("22003", Data),
            ("23505", Data),
            ("23514", Data),
            ("40001", Retry),
            ("40P01", Retry),
            ("55P03", Retry),
            ("57014", Retry),
            ("40003", Unknown),
            ("08006", Unknown),
            ("57P01", Unknown),
            ("57P02", Unknown),
            ("57P05", Unknown),
            ("57P03", Disconnected),
            ("53300", Disconnected),
            ("53100", Disconnected),
            ("25P03", Disconnected),
            ("25006", Disconnected),
            ("26000", StalePlan),
            ("42601", Other),
            ("42501", Other),
            ("XX000", Other),
            ("", Other),
        ];
        for (code, expected) in table {
            assert_eq!(classify_code(code, None), expected, "{code}");
        }
    }

    #[test]
    fn only_the_plan_caches_unsupported_feature_is_a_stale_plan() {
        assert_eq!(
            classify_code("0A000", Some("RevalidateCachedQuery")),
            FailureClass::StalePlan
        );
        assert_eq!(
            classify_code("0A000", Some("transformSelectStmt")),
            FailureClass::Other
        );
        assert_eq!(classify_code("0A000", None), FailureClass::Other);
    }
}
