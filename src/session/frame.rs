//! The frames of WebSocket (RFC 6455) as a server reads and writes them, without a socket: bytes in, messages out.
//! Nothing is kept of a peer that has said all it began to say; texts are whole and UTF-8, or a fault.

use tokio_tungstenite::tungstenite::Utf8Bytes;

const CONTINUED: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// The longest payload of a control frame.
const CONTROL_MAX: usize = 125;

/// What a peer has said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A whole text.
    Text(String),
    /// The beginning of something that is no text.
    Binary,
    /// It asks whether we are there, with these bytes.
    Ping(Vec<u8>),
    /// It is there.
    Pong,
    /// It goes.
    Close,
}

/// Why what a peer sends is not read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It is not WebSocket.
    #[error("protocol error")]
    Protocol,
    /// A text is not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// A message is longer than it may be.
    #[error("frame too long")]
    TooLong,
}

/// The bytes of a peer, on their way to messages.
pub(super) struct Reader {
    input: Vec<u8>,
    /// What of the input has been taken.
    at: usize,
    /// A message whose last frame has not come.
    begun: Option<Vec<u8>>,
    bytes_max: usize,
}

/// The first bytes of a frame.
struct Header {
    is_final: bool,
    kind: u8,
    mask: [u8; 4],
    /// Where the payload begins and ends.
    payload: std::ops::Range<usize>,
}

impl Reader {
    /// A message may have so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { input: Vec::new(), at: 0, begun: None, bytes_max }
    }

    /// Bytes that came before anybody read.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next message, if all of it is here.
    ///
    /// # Errors
    /// The peer does not keep to the protocol.
    pub(super) fn next(&mut self) -> Result<Option<Heard>, Fault> {
        let mut input = std::mem::take(&mut self.input);
        let mut at = self.at;
        let heard = self.take(&mut input, &mut at);
        if at == input.len() {
            (input, at) = (Vec::new(), 0);
        }
        (self.input, self.at) = (input, at);
        heard
    }

    /// Adds bytes: the next message, if all of it is here.
    ///
    /// # Errors
    /// The peer does not keep to the protocol.
    pub(super) fn feed(&mut self, bytes: &mut [u8]) -> Result<Option<Heard>, Fault> {
        if !self.input.is_empty() {
            self.input.drain(..self.at);
            self.at = 0;
            self.input.extend_from_slice(bytes);
            return self.next();
        }
        // Mostly it is one whole message, which is read where it lies.
        let mut at = 0;
        let heard = self.take(bytes, &mut at);
        self.input.extend_from_slice(&bytes[at..]);
        heard
    }

    fn take(&mut self, bytes: &mut [u8], at: &mut usize) -> Result<Option<Heard>, Fault> {
        loop {
            let before = self.begun.as_ref().map_or(0, Vec::len);
            let Some(header) = header(&bytes[*at..], self.bytes_max - before.min(self.bytes_max))? else {
                return Ok(None);
            };
            let payload = &mut bytes[*at + header.payload.start..*at + header.payload.end];
            *at += header.payload.end;
            unmask(payload, header.mask);
            if let Some(heard) = self.judge(&header, payload)? {
                return Ok(Some(heard));
            }
        }
    }

    /// What a frame means; nothing if it is a part of something whose end is to come.
    fn judge(&mut self, header: &Header, payload: &[u8]) -> Result<Option<Heard>, Fault> {
        match (header.kind, &mut self.begun) {
            (PING, _) => Ok(Some(Heard::Ping(payload.to_vec()))),
            (PONG, _) => Ok(Some(Heard::Pong)),
            (CLOSE, _) => closes(payload).map(|()| Some(Heard::Close)),
            (TEXT, None) if header.is_final => text(payload.to_vec()).map(Some),
            (TEXT, None) => {
                self.begun = Some(payload.to_vec());
                Ok(None)
            }
            (BINARY, None) => Ok(Some(Heard::Binary)),
            (CONTINUED, Some(begun)) => {
                begun.extend_from_slice(payload);
                match header.is_final {
                    true => text(self.begun.take().unwrap_or_default()).map(Some),
                    false => Ok(None),
                }
            }
            _ => Err(Fault::Protocol),
        }
    }
}

/// The header of the frame that begins here, if the whole frame is here.
fn header(bytes: &[u8], bytes_max: usize) -> Result<Option<Header>, Fault> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (kind, short) = (first & 0x0f, usize::from(second & 0x7f));
    let is_final = first & FINAL != 0;
    let is_control = kind & 0x08 != 0;
    if first & RESERVED != 0 || second & MASKED == 0 || !matches!(kind, CONTINUED..=BINARY | CLOSE..=PONG) {
        return Err(Fault::Protocol);
    }
    if is_control && (!is_final || short > CONTROL_MAX) {
        return Err(Fault::Protocol);
    }
    let (length, begins) = match short {
        126 => match rest.first_chunk() {
            Some(length) => (usize::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => (usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX), 10),
            None => return Ok(None),
        },
        short => (short, 2),
    };
    if !is_control && length > bytes_max {
        return Err(Fault::TooLong);
    }
    let begins = begins + 4;
    if bytes.len() < begins + length {
        return Ok(None);
    }
    let mask = bytes[begins - 4..begins].first_chunk().copied().unwrap_or_default();
    Ok(Some(Header { is_final, kind, mask, payload: begins..begins + length }))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

fn text(bytes: Vec<u8>) -> Result<Heard, Fault> {
    String::from_utf8(bytes).map(Heard::Text).map_err(|_| Fault::Utf8)
}

/// Whether the payload of a close frame is one.
fn closes(payload: &[u8]) -> Result<(), Fault> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(()) } else { Err(Fault::Protocol) };
    };
    if !matches!(u16::from_be_bytes(*code), 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Fault::Protocol);
    }
    std::str::from_utf8(reason).map(drop).map_err(|_| Fault::Utf8)
}

/// Writes a text.
pub(super) fn write_text(out: &mut Vec<u8>, text: &Utf8Bytes) {
    write(out, TEXT, text.as_bytes());
}

/// Writes a question whether the peer is there.
pub(super) fn write_ping(out: &mut Vec<u8>) {
    write(out, PING, &[]);
}

/// Writes the answer to such a question.
pub(super) fn write_pong(out: &mut Vec<u8>, bytes: &[u8]) {
    write(out, PONG, bytes);
}

/// Writes the end, with its code and why.
pub(super) fn write_close(out: &mut Vec<u8>, end: Option<(u16, &str)>) {
    let mut payload = Vec::new();
    if let Some((code, reason)) = end {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(&reason.as_bytes()[..reason.len().min(CONTROL_MAX - 2)]);
    }
    write(out, CLOSE, &payload);
}

fn write(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(FINAL | kind);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..126), _) => out.push(short),
        (_, Ok(length)) => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;
