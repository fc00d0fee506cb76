//! The machine fails: a full disk, a read-only folder, a damaged file, a reader that never ends, a clock that jumps. Each
//! ends in a clear error and the right exit code, and the same command again ends as if nothing had happened.

mod clock;
mod damage;
pub mod disk;
mod read_only;
mod readers;
