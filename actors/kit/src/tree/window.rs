//! A view for a child of the very tree that it looks at.

use std::sync::{Arc, OnceLock, Weak};

use super::{ChildView, Shared};

/// Shows the tree that it was given to, once that tree starts. It does not keep the tree alive: a child that holds its own tree would never be freed, nor the
/// port that it listens on. Cheap to clone.
#[derive(Clone, Default)]
pub struct TreeWindow(Arc<OnceLock<Weak<Shared>>>);

impl std::fmt::Debug for TreeWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeWindow").finish_non_exhaustive()
    }
}

impl TreeWindow {
    /// Every actor as it is, as [`TreeView::inspect`](super::TreeView::inspect); nothing before the tree starts and after it has gone.
    #[must_use]
    pub fn inspect(&self) -> Vec<ChildView> {
        let shared = self.0.get().and_then(Weak::upgrade);
        shared.map(|shared| shared.inspect()).unwrap_or_default()
    }

    /// A window shows one tree; a second one is not looked at.
    pub(super) fn open(&self, shared: &Arc<Shared>) {
        let _ = self.0.set(Arc::downgrade(shared));
    }
}
