//! The request that is most of the traffic, `message.send` with a text, read in one pass where it is written plainly:
//! no escapes, nothing twice, nothing unknown. Whatever is not as plain as that is left to the parser, and with it every
//! refusal: a text is either read here as the parser would have read it, or not at all.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::Limits;
use crate::model::{Body, ConversationId, Visibility};
use crate::policy::Method;
use crate::routing::NewMessage;

/// How long a client's id may be; in bytes, so that a longer one is left to the parser, which counts characters.
const CLIENT_ID_BYTES_MAX: usize = 64;
const UUID_BYTES: usize = 36;
/// How deep such a request is nested.
const DEPTH: usize = 3;
const BODY: &str = r#"{"type":"text","text":""#;

/// A message that is to be sent, as far as it could be read.
pub(super) struct Plain<'a> {
    pub(super) id: Option<&'a RawValue>,
    pub(super) conversation: ConversationId,
    pub(super) message: NewMessage,
}

/// Reads a plain request, if it is one.
pub(super) fn read<'a>(text: &'a str, limits: &Limits) -> Option<Plain<'a>> {
    if limits.depth < DEPTH {
        return None;
    }
    let mut cursor = Cursor { text, at: 0 };
    let (mut version, mut id, mut method, mut sent) = (None, None, None, None);
    cursor.members(|cursor, name| match name {
        "jsonrpc" => once(&mut version, cursor.string()?),
        "id" => once(&mut id, cursor.id()?),
        "method" => once(&mut method, cursor.string()?),
        "params" => once(&mut sent, cursor.sent(limits)?),
        _ => None,
    })?;
    cursor.space();
    let is_plain = cursor.at == text.len() && version? == "2.0" && method? == Method::MessageSend.name();
    let (conversation, message) = sent.filter(|_| is_plain)?;
    let id = id.map(|id| serde_json::from_str(id).ok()).map_or(Some(None), |id| id.map(Some))?;
    Some(Plain { id, conversation, message })
}

/// A member that is not there twice.
fn once<T>(member: &mut Option<T>, value: T) -> Option<()> {
    member.replace(value).is_none().then_some(())
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// An object that is not empty, member by member.
    fn members(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.space();
        self.take(b'{')?;
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.take(b':')?;
            self.space();
            member(self, name)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// What a string says that has no escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let from = self.at;
        self.at += plain_bytes(&self.text.as_bytes()[from..]);
        let to = self.at;
        self.take(b'"')?;
        self.text.get(from..to)
    }

    /// A string, or a whole number, as it is written.
    fn id(&mut self) -> Option<&'a str> {
        let from = self.at;
        if self.peek()? == b'"' {
            self.string()?;
        } else {
            while matches!(self.peek(), Some(b'0'..=b'9')) {
                self.at += 1;
            }
            let is_number = self.at > from && (self.text.as_bytes()[from] != b'0' || self.at == from + 1);
            let ends = matches!(self.peek(), Some(b',' | b'}' | b' ' | b'\n' | b'\t' | b'\r'));
            if !is_number || !ends {
                return None;
            }
        }
        self.text.get(from..self.at)
    }

    fn sent(&mut self, limits: &Limits) -> Option<(ConversationId, NewMessage)> {
        let (mut conversation, mut client_id, mut body) = (None, None, None);
        self.members(|cursor, name| match name {
            "conversation" => once(&mut conversation, cursor.string()?),
            "client_id" => once(&mut client_id, cursor.string()?),
            "body" => once(&mut body, cursor.body(limits)?),
            _ => None,
        })?;
        let conversation = conversation.filter(|id| id.len() == UUID_BYTES)?.parse().ok()?;
        let client_id = client_id.filter(|id| (1..=CLIENT_ID_BYTES_MAX).contains(&id.len()))?;
        let body = Body::from_checked(body?);
        let message = NewMessage { client_id: client_id.into(), body, text: None, visibility: Visibility::All };
        Some((conversation, message))
    }

    /// A body that is a text, in its fixed form.
    fn body(&mut self, limits: &Limits) -> Option<Arc<str>> {
        let from = self.at;
        let (mut kind, mut said) = (None, None);
        self.members(|cursor, name| match name {
            "type" => once(&mut kind, cursor.string()?),
            "text" => once(&mut said, cursor.string()?),
            _ => None,
        })?;
        let said = said.filter(|said| (1..=limits.text).contains(&said.len()))?;
        if kind? != "text" {
            return None;
        }
        let written = self.text.get(from..self.at)?;
        let is_fixed = written.len() == BODY.len() + said.len() + 2 && written.starts_with(BODY);
        Some(if is_fixed { written.into() } else { format!("{BODY}{said}\"}}").into() })
    }
}

/// How many bytes there are before the first one that ends a plain string: a quote, an escape, a control character.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The lowest byte of a word that is zero, or below some limit, borrows into its highest bit; others may only do so
    // behind it.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES.wrapping_mul(limit)) & !word & HIGHS;
    let (words, _) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let is = |byte: u8| below(word ^ ONES.wrapping_mul(byte.into()), 1);
        let ends = below(word, 0x20) | is(b'"') | is(b'\\');
        if ends != 0 {
            return at * 8 + ends.trailing_zeros() as usize / 8;
        }
    }
    let from = words.len() * 8;
    let rest = bytes[from..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    rest.map_or(bytes.len(), |rest| from + rest)
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
