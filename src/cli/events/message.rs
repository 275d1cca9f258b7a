//! Server-sent events, from the bytes in which they come.
//!
//! Source: "Server-sent events" of the HTML standard, section "Interpreting an event stream". Only what
//! an event log needs: the id and the data.

use std::mem;

/// Takes a stream of bytes apart.
#[derive(Debug, Default)]
pub(super) struct Messages {
    line: Vec<u8>,
    id: Option<u64>,
    data: String,
    last_id: Option<u64>,
}

impl Messages {
    /// A stream that goes on after this id.
    pub(super) fn after(last_id: Option<u64>) -> Self {
        Self { id: last_id, last_id, ..Self::default() }
    }

    /// The id to go on after, should the stream be cut now.
    pub(super) const fn last_id(&self) -> Option<u64> {
        self.last_id
    }

    /// Takes in some bytes: the data of each message that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                let line = mem::take(&mut self.line);
                complete.extend(self.take_line(line.strip_suffix(b"\r").unwrap_or(&line)));
            } else {
                self.line.push(byte);
            }
        }
        complete
    }

    fn take_line(&mut self, line: &[u8]) -> Option<String> {
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            self.last_id = self.id;
            return Some(mem::take(&mut self.data)).filter(|data| !data.is_empty());
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = value.parse().ok().or(self.id),
            "data" if self.data.is_empty() => value.clone_into(&mut self.data),
            "data" => self.data.extend(["\n", value]),
            // Comments, whose field is empty, among them.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_complete_at_an_empty_line() {
        let text = b"id: 4\nretry: 2000\n\n:\n\nid: 5\nevent: changed\ndata: {\"a\":1}\n\nid:6\r\ndata:b\r\n\r\nid: 7\ndata: cut";
        for size in [1, 3, 1000] {
            let mut messages = Messages::after(None);
            let taken: Vec<_> = text.chunks(size).flat_map(|chunk| messages.take(chunk)).collect();
            assert_eq!(taken, ["{\"a\":1}", "b"], "{size} bytes at a time");
            assert_eq!(messages.last_id(), Some(6), "of what was cut nothing counts");
        }
    }

    #[test]
    fn an_id_alone_is_one_to_go_on_after() {
        let mut messages = Messages::after(Some(3));
        assert_eq!(messages.last_id(), Some(3));
        assert!(messages.take(b":\n\n").is_empty());
        assert_eq!(messages.last_id(), Some(3));
        assert!(messages.take(b"id: 0\n\n").is_empty());
        assert_eq!(messages.last_id(), Some(0));
    }
}
