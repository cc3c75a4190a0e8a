//! Changes the issuer's state on a thread of its own, and saves each change before it counts.
//!
//! Writing to a disk takes long, so that no request's thread does it, and changes that arrive together
//! are saved together. A change that could not be saved did not happen.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::{IssuerError, state::State};
use crate::file::{self, Access};

/// At most this many changes wait, so that a slow disk does not fill the memory.
const MOST_WAITING: usize = 1_000;
/// At most this many changes are saved together.
const MOST_TOGETHER: usize = 100;

/// A change of the state. It returns what is done with the outcome of the save.
type Change = Box<dyn FnOnce(&mut State) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), &io::Error>) + Send>;

/// The state of an issuer, and the thread that changes it.
pub(super) struct Store {
    current: Arc<ArcSwap<State>>,
    changes: mpsc::SyncSender<Change>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Reads the state, and starts the thread, which ends with the store.
    pub(super) fn open(file: &Path) -> Result<Self, IssuerError> {
        let current = Arc::new(ArcSwap::from_pointee(State::read(file)?));
        let (changes, waiting) = mpsc::sync_channel(MOST_WAITING);
        let (state, path) = (Arc::clone(&current), file.to_owned());
        thread::Builder::new()
            .name("issuer-state".to_owned())
            .spawn(move || run(&path, &state, &waiting))
            .map_err(|source| IssuerError::Io { path: file.display().to_string(), source })?;
        Ok(Self { current, changes })
    }

    /// The state as it was last saved.
    pub(super) fn current(&self) -> Arc<State> {
        self.current.load_full()
    }

    /// Changes the state. When this returns, what is kept in the file is on the disk.
    ///
    /// # Errors
    ///
    /// The error of the disk. Then nothing was changed.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> io::Result<T> {
        let (tell, told) = oneshot::channel();
        let change: Change = Box::new(|state| {
            let outcome = change(state);
            Box::new(|saved: Result<(), &io::Error>| {
                let same = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
                // Nobody waits for it if the client has gone away.
                let _ = tell.send(saved.map(|()| outcome).map_err(same));
            })
        });
        self.changes.try_send(change).map_err(|_| {
            io::Error::new(io::ErrorKind::WouldBlock, "too many changes wait for the disk")
        })?;
        told.await.unwrap_or_else(|_| Err(io::Error::other("the issuer's state is not written")))
    }
}

/// Makes the changes as they arrive, until the store is dropped.
fn run(file: &Path, current: &ArcSwap<State>, waiting: &mpsc::Receiver<Change>) {
    while let Ok(first) = waiting.recv() {
        let mut next = current.load().next();
        let mut answers = vec![first(&mut next)];
        while answers.len() < MOST_TOGETHER
            && let Ok(change) = waiting.try_recv()
        {
            answers.push(change(&mut next));
        }
        let saved = match next.changed() {
            Some(kept) => serde_json::to_vec(kept)
                .map_err(io::Error::from)
                .and_then(|text| file::replace(file, &text, Access::OwnerOnly)),
            None => Ok(()),
        };
        if saved.is_ok() {
            current.store(Arc::new(next));
        }
        for answer in answers {
            answer(saved.as_ref().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::state::RegisteredClient, *};

    fn client(name: &str) -> RegisteredClient {
        RegisteredClient {
            name: name.to_owned(),
            redirect_uris: vec![],
            may_refresh: true,
            registered_at: 0,
        }
    }

    #[tokio::test]
    async fn a_change_that_was_not_saved_did_not_happen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gone/issuer.json");
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        let store = Store::open(&file).unwrap();
        let first = store.change(|state| state.add_client(client("first"))).await.unwrap();
        std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
        let refused = store.change(|state| state.add_client(client("second"))).await;
        assert!(refused.is_err());
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        let third = store.change(|state| state.add_client(client("third"))).await.unwrap();
        drop(store);
        let read = State::read(&file).unwrap();
        assert!(read.client(&first).is_some() && read.client(&third).is_some());
        assert_eq!(read.clients(), 2);
    }

    #[tokio::test]
    async fn a_million_clients_leave_a_thousand() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("issuer.json")).unwrap();
        for _ in 0..100 {
            let many = |state: &mut State| {
                for number in 0..10_000 {
                    state.add_client(client(&number.to_string()));
                }
            };
            store.change(many).await.unwrap();
        }
        assert_eq!(store.current().clients(), 1_000);
    }
}
