//! Files and folders as this program makes them: private to their owner, and replaced in one step.

use std::fs::OpenOptions;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::failure::{Code, Failure};

/// A file that cannot be written, and what to do: room is the machine's matter, names and rights are the user's.
pub fn cannot_write(path: &Path, cause: ErrorKind, said: &dyn std::fmt::Display) -> Failure {
    let message = format!("cannot write {}: {said}", path.display());
    match cause {
        ErrorKind::StorageFull | ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded => {
            Failure::new(Code::Internal, message).hint("make room and run the same command again")
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Failure::config(message).hint("make the file and its folder writable, or name another")
        }
        _ => Failure::config(message).hint("name a file in a folder that exists"),
    }
}

/// Creates a folder that only its owner can enter: the mirror holds customers' addresses and a firm's revenue.
pub fn create_private_folder(folder: &Path) -> Result<(), String> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| format!("cannot create the folder {}: {error}", folder.display()))
}

/// Files that these options make are their owner's alone from the start.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Replaces a file in one step: whoever reads it sees the old bytes or the new ones, never half of either.
pub fn write_atomically(path: &Path, bytes: &[u8], private: bool) -> std::io::Result<()> {
    let mut file = temporary_beside(path, private)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Writes a new file that is its owner's alone, all of it or nothing; fails when there is one already.
pub fn create_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = temporary_beside(path, true)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// Replaces a private file in one step, for writers that take turns under a lock. The bytes wait under one fixed name, so
/// that what a killed writer left behind is taken over by the next one; names of chance would add up over the years.
pub fn write_in_turn(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let waiting = path.with_extension("new");
    match std::fs::remove_file(&waiting) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&waiting)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(waiting, path)
}

/// Makes a new name in a file's folder last through a power cut.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // elsewhere a folder is no file that could be written through
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

fn temporary_beside(path: &Path, private: bool) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    if !private {
        // tempfile's own default is 0600; a report is as open as the user's umask makes any file
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Writes what `write` writes to a file, which is replaced in one step when all of it is there. A pipe or a device is
/// written to as it is, and a symbolic link keeps pointing to what is replaced.
pub fn replace_with<E: From<std::io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let mut file = OpenOptions::new().write(true).open(path)?;
        return write(&mut file);
    }
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut file = BufWriter::new(temporary_beside(&path, false)?);
    write(&mut file)?;
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(std::io::Error::from)?;
    Ok(())
}

/// Replaces a file in one step, private to its owner unless it was there before and its owner had opened it to others.
/// A pipe or a device is written to as it is.
pub fn replace_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match path.metadata() {
        Ok(found) if found.is_file() => rewrite(path, bytes),
        Ok(found) if !found.is_dir() => std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes),
        _ => write_atomically(path, bytes, true),
    }
}

/// Replaces a person's own file in one step, keeping who may read it and, behind a symbolic link, where it lies.
pub fn rewrite(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let Ok(path) = path.canonicalize() else { return write_atomically(path, bytes, false) };
    let permissions = path.metadata()?.permissions();
    let mut file = tempfile::Builder::new().tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
