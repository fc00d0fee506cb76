//! Ctrl-C. The first one asks whatever runs to stop where nothing is lost: what waits for a server ends at once, what
//! the database is busy with is stopped and taken back. A second one ends the process there and then, which any command
//! survives too (a kill loses nothing that was saved).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::db::Db;
use crate::failure::Code;

/// How often the database is stopped again while a command ends: it may be between two statements.
const STOP_AGAIN_AFTER: Duration = Duration::from_millis(50);

type Stop = Box<dyn Fn() + Send>;

#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_pressed: AtomicBool,
    pressed: Notify,
    stops: Mutex<Vec<Stop>>,
}

impl Interrupt {
    /// From here on Ctrl-C is heard, on a thread of its own: a command may be one long call.
    pub(crate) fn listen() -> Self {
        let interrupt = Self::default();
        let shared = Arc::clone(&interrupt.0);
        let (listening, listens) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // without a runtime Ctrl-C ends the process as it ends any other
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(shared.hear(listening));
            }
        });
        // an error says that the thread is gone already
        let _ = listens.recv();
        interrupt
    }

    /// Waits for Ctrl-C.
    pub(crate) async fn pressed(&self) {
        self.0.pressed.notified().await;
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.0.is_pressed.load(Ordering::SeqCst)
    }

    /// Ctrl-C stops what this connection is asked, for a command that leaves no room for anything else on its thread.
    pub(crate) fn stops(&self, db: &Db) {
        self.0.stops.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(db.interrupter()));
    }
}

impl Shared {
    async fn hear(&self, listening: std::sync::mpsc::Sender<()>) {
        let mut pressed = std::pin::pin!(tokio::signal::ctrl_c());
        // it listens from its first poll on
        let first = tokio::select! {
            biased;
            result = &mut pressed => Some(result),
            () = std::future::ready(()) => None,
        };
        // nobody waits any more: then nobody needs to know
        let _ = listening.send(());
        let heard = match first {
            Some(result) => result,
            None => pressed.await,
        };
        if heard.is_err() {
            return;
        }
        self.is_pressed.store(true, Ordering::SeqCst);
        self.pressed.notify_one();
        let mut again = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            self.stops.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|stop| stop());
            tokio::select! {
                _ = &mut again => std::process::exit(Code::Interrupted.exit().into()),
                () = tokio::time::sleep(STOP_AGAIN_AFTER) => {}
            }
        }
    }
}
