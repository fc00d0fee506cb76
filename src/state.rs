//! Small JSON files in the state folder: what this machine remembers of a mirror beside the mirror itself. Here rather
//! than in the database, because a run that cannot open the database has something to remember too, and because a
//! mirror that is copied or restored must not bring another time's memory along.

use std::fs::{File, OpenOptions};
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Paths;
use crate::files::{create_private_folder, write_in_turn};
use crate::model::json::sha256_hex;

/// A file that holds one value.
pub struct StateFile<T> {
    path: PathBuf,
    value: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned + Default> StateFile<T> {
    /// The file of this name that belongs to the configured mirror.
    pub fn of(paths: &Paths, name: &str) -> Self {
        let database = std::path::absolute(&paths.database).unwrap_or_else(|_| paths.database.clone());
        let identity = sha256_hex(database.as_os_str().as_encoded_bytes());
        Self { path: paths.state.join(format!("{name}-{}.json", &identity[..16])), value: PhantomData }
    }

    /// What it holds. A file that is not there, or cannot be read, holds nothing: it is a memory, not a truth.
    pub fn read(&self) -> T {
        std::fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Holds another value from now on; the caller has the lock.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn write(&self, value: &T) -> io::Result<()> {
        write_in_turn(&self.path, &serde_json::to_vec_pretty(value)?)
    }

    /// Changes what it holds; processes do so one after the other.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn update(&self, change: impl FnOnce(&mut T)) -> io::Result<()> {
        let lock = self.lock_file()?;
        lock.lock()?;
        let mut value = self.read();
        change(&mut value);
        self.write(&value)
    }

    /// The file whose lock keeps other processes from changing the value.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn lock_file(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            create_private_folder(folder).map_err(io::Error::other)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.path.with_extension("lock"))
    }
}
