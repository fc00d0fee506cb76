//! On which file system a path lies, read from the text of `/proc/self/mounts`. Pure.

/// File systems over a network or through a program, on which SQLite's locks and its shared memory cannot be relied on
/// (<https://www.sqlite.org/useovernet.html>). A name before a dot stands for all that begin with it.
const UNRELIABLE: [&str; 14] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "coda",
    "glusterfs",
    "lustre",
    "ncpfs",
    "virtiofs",
    "fuse.",
];
/// Through FUSE, and on this machine all the same.
const LOCAL_FUSE: [&str; 3] = ["fuse.fuse-overlayfs", "fuse.lxcfs", "fuse.bindfs"];

/// The type of the file system that holds an absolute path: that of the longest mount point above it, the last one where
/// several are mounted over each other.
pub(super) fn file_system<'a>(mounts: &'a str, path: &str) -> Option<&'a str> {
    let mut found: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(point), Some(kind)) = (words.nth(1), words.next()) else { continue };
        let point = unescaped(point);
        let holds =
            point == "/" || path == point || path.strip_prefix(&point).is_some_and(|rest| rest.starts_with('/'));
        if holds && found.is_none_or(|(length, _)| point.len() >= length) {
            found = Some((point.len(), kind));
        }
    }
    found.map(|(_, kind)| kind)
}

pub(super) fn is_unreliable(kind: &str) -> bool {
    let is = |known: &str| if known.ends_with('.') { kind.starts_with(known) } else { kind == known };
    !LOCAL_FUSE.contains(&kind) && UNRELIABLE.into_iter().any(is)
}

/// The kernel writes blanks as `\040`, and tabs, line feeds and backslashes in the same way.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "overlay / overlay rw 0 0
proc /proc proc rw 0 0
/dev/sda1 /home ext4 rw 0 0
nas:/data /home/ann/on\\040the\\040nas nfs4 rw 0 0
tmpfs /home/ann/over tmpfs rw 0 0
//nas/x /home/ann/over cifs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
broken";

    #[test]
    fn the_longest_mount_point_holds_a_path() {
        for (path, kind) in [
            ("/var/lib/mirror.db", "overlay"),
            ("/home", "ext4"),
            ("/home/ann/mirror.db", "ext4"),
            ("/homes/ann/mirror.db", "overlay"),
            ("/home/ann/on the nas/mirror.db", "nfs4"),
            ("/home/ann/on the nasty/mirror.db", "ext4"),
            ("/home/ann/over/mirror.db", "cifs"),
            ("/mnt/ssh/mirror.db", "fuse.sshfs"),
        ] {
            assert_eq!(file_system(MOUNTS, path), Some(kind), "{path}");
        }
        assert_eq!(file_system("", "/"), None);
    }

    #[test]
    fn networks_and_fuse_are_unreliable() {
        for kind in ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.rclone"] {
            assert!(is_unreliable(kind), "{kind}");
        }
        for kind in
            ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "nfsd", "fuse.fuse-overlayfs", "fuseblk"]
        {
            assert!(!is_unreliable(kind), "{kind}");
        }
    }
}
