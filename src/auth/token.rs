//! The form of a token: a header, claims and a signature, each in base64 (RFC 7515). What is believed is not judged
//! here.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// A token taken apart. Its claims are read last: they mean nothing before its signature is judged.
pub(super) struct Token<'a> {
    /// What is signed, as it came.
    pub(super) signed: &'a [u8],
    /// With what.
    pub(super) signature: Vec<u8>,
    header: Vec<u8>,
    claims: &'a str,
}

/// What a header says that matters here.
#[derive(Deserialize)]
pub(super) struct Header<'a> {
    /// How it is signed.
    pub(super) alg: jsonwebtoken::Algorithm,
    /// By which key.
    #[serde(borrow)]
    pub(super) kid: Option<Cow<'a, str>>,
    jku: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Takes a token apart; nothing if that cannot be done.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.'))?;
        Some(Self { signed: signed.as_bytes(), signature: decode(signature)?, header: decode(header)?, claims })
    }

    /// Its header.
    pub(super) fn header(&self) -> Option<Header<'_>> {
        serde_json::from_slice(&self.header).ok()
    }

    /// Its claims.
    pub(super) fn claims(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&decode(self.claims)?).ok()
    }
}

impl Header<'_> {
    /// The first member that brings or points to a key, or demands what is not understood.
    pub(super) fn refused(&self) -> Option<&'static str> {
        let members =
            [("jku", &self.jku), ("jwk", &self.jwk), ("x5u", &self.x5u), ("x5c", &self.x5c), ("crit", &self.crit)];
        members.into_iter().find(|(_, there)| there.is_some()).map(|(name, _)| name)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
