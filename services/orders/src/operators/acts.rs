//! The record of what was done by hand.

use order_saga::StoreUnavailable;
use orders_sql::queries::admin as sql;
use tracing::{info, warn};
use uuid::Uuid;

use super::{Act, AdminError, OperatorDesk};

/// Acts that are shown with their target.
const SHOWN_MAX: i64 = 50;

impl OperatorDesk {
    /// Records an act before it begins.
    pub(super) async fn begin(
        &self,
        act: &Act,
        action: &'static str,
        target: &str,
        expected_version: Option<i64>,
    ) -> Result<Uuid, AdminError> {
        let client = self.store.client().await?;
        let action_id = Uuid::now_v7();
        info!(who = act.who, action, target, "an operator acts");
        let begun = self
            .store
            .bounded(
                sql::begin_action()
                    .bind(
                        &client,
                        &action_id,
                        &act.who,
                        &act.why,
                        &action,
                        &target,
                        &expected_version,
                    )
                    .one(),
            )
            .await;
        Ok(self.store.settle(client, begun)?)
    }

    /// Records what came of it. The act itself stands either way; without this the row goes on saying STARTED.
    pub(super) async fn end(
        &self,
        action_id: Uuid,
        result: Result<impl Into<String>, &AdminError>,
    ) {
        let (outcome, detail) = match result {
            Ok(detail) => ("DONE", detail.into()),
            Err(error @ AdminError::Unavailable(_)) => ("UNKNOWN", error.to_string()),
            Err(error) => ("REFUSED", error.to_string()),
        };
        if let Err(StoreUnavailable) = self.try_end(action_id, outcome, &detail).await {
            warn!(%action_id, outcome, "the end of an operator's act is not recorded");
        }
    }

    async fn try_end(
        &self,
        action_id: Uuid,
        outcome: &str,
        detail: &str,
    ) -> Result<(), StoreUnavailable> {
        let client = self.store.client().await?;
        let ended = self
            .store
            .bounded(
                sql::end_action()
                    .bind(&client, &outcome, &detail, &action_id)
                    .one(),
            )
            .await;
        self.store.settle(client, ended).map(|_action_id| ())
    }

    /// What was done to a target, the oldest first.
    pub(crate) async fn acts(&self, target: &str) -> Result<Vec<sql::ListActions>, AdminError> {
        let client = self.store.client().await?;
        let found = self
            .store
            .bounded(sql::list_actions().bind(&client, &target, &SHOWN_MAX).all())
            .await;
        Ok(self.store.settle(client, found)?)
    }
}
