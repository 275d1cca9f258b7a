//! Whether systemd's journal reads what is written.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// Whether standard error is the journal's: systemd says in `JOURNAL_STREAM` which device and inode it
/// has connected, and whoever redirects standard error leaves the variable as it is.
///
/// Source: systemd.exec(5).
pub(super) fn is_standard_error() -> bool {
    let connected = std::env::var("JOURNAL_STREAM").ok().as_deref().and_then(parse);
    connected.is_some() && connected == standard_error().ok()
}

/// A device and an inode in decimal, with a colon between.
fn parse(text: &str) -> Option<(u64, u64)> {
    let (device, inode) = text.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

fn standard_error() -> io::Result<(u64, u64)> {
    let file = File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_device_and_an_inode_name_a_stream() {
        assert_eq!(parse("9:123456"), Some((9, 123_456)));
        for other in ["", "9", "9:", ":9", "a:b", "9:1:2", "-9:1"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
