//! One connection with a deadline on each statement, built without I/O.

use std::future::Future;
use std::time::Duration;

use actor_kit::batch::BatchError;
use shopapi_postgres::{Client, Disconnected, Failure, FailureClass, PgConfig, Session};
use tokio::time::timeout;
use tracing::error;

/// A statement that takes longer is given up and its connection dropped. Above the role's `statement_timeout`, whose error knows more;
/// with the time to connect below the 15 s of whoever waits for it: their deadline would leave the connection with a statement that
/// hangs on it, and the next one would queue behind.
const STATEMENT_DEADLINE: Duration = Duration::from_millis(10_500);

/// A [`Session`] that is built at its first use, so that an actor's factory cannot fail.
pub(crate) struct Database {
    config: PgConfig,
    session: Option<Session>,
}

impl Database {
    pub(crate) fn new(config: &PgConfig, application: &str) -> Self {
        Self {
            config: config.named(application),
            session: None,
        }
    }

    /// The live connection.
    pub(crate) async fn client(&mut self) -> Result<&Client, Disconnected> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::new(&self.config)?,
        };
        self.session
            .insert(session)
            .client()
            .await
            .map(|client| &*client)
    }

    /// Puts a deadline on a statement.
    pub(crate) async fn bounded<T>(
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        match timeout(STATEMENT_DEADLINE, statement).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Trouble::Error(error)),
            Err(_elapsed) => Err(Trouble::Overdue),
        }
    }

    /// What a writer has to do about a failed statement.
    pub(crate) fn batch_error(&mut self, trouble: &Trouble) -> BatchError {
        let Failure { class, text } = self.judge(trouble);
        match class {
            FailureClass::Data => BatchError::Data(text),
            FailureClass::Retry | FailureClass::StalePlan => BatchError::Retry(text),
            FailureClass::Disconnected => BatchError::Disconnected(text),
            FailureClass::Unknown => BatchError::Unknown(text),
            FailureClass::Other => {
                // Our mistake or a damaged database. Not the entries' fault: nobody is sent to the dead letters for it.
                error!(text, "a batch's statement failed");
                BatchError::Disconnected(text)
            }
        }
    }

    /// Classifies what a statement ended with; the connection is dropped when its state is in doubt.
    pub(crate) fn judge(&mut self, trouble: &Trouble) -> Failure {
        match (&mut self.session, trouble) {
            (Some(session), Trouble::Error(error)) => session.judge(error),
            (Some(session), Trouble::Overdue) => session.overdue(),
            (None, Trouble::Error(error)) => Failure::from(error),
            (None, Trouble::Overdue) => Failure {
                class: FailureClass::Unknown,
                text: "no answer within the deadline".to_owned(),
            },
        }
    }
}

/// How a statement failed.
#[derive(Debug)]
pub(crate) enum Trouble {
    Error(tokio_postgres::Error),
    Overdue,
}
