//! What a token claims, judged one claim at a time, strictly.
//! The signature has been judged before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::settings::Role;
use crate::model::{Caller, SellerId, Timestamp};

/// How far the clocks of those who sign may be off.
pub(super) const LEEWAY: Duration = Duration::from_secs(5);
/// For whom tokens are.
pub(super) const AUDIENCE: &str = "fenliu";

/// What a token made here says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who it is.
    pub sub: String,
    /// As what.
    pub role: Role,
    /// How it is called.
    pub name: Option<String>,
    /// What bindings may trust; of buyers only.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The only seller that a buyer exists for, if it is a visitor of one.
    pub within: Option<SellerId>,
    /// Until when it is valid, to the second.
    pub expires_at: Timestamp,
}

impl Claims {
    /// A caller without name and attributes.
    pub fn new(role: Role, sub: impl Into<String>, expires_at: Timestamp) -> Self {
        Self { sub: sub.into(), role, name: None, attributes: BTreeMap::new(), within: None, expires_at }
    }

    pub(super) fn to_json(&self, issuer: Option<&str>) -> Value {
        let mut claims = Map::new();
        claims.insert("aud".into(), AUDIENCE.into());
        claims.insert("sub".into(), self.sub.as_str().into());
        claims.insert("role".into(), serde_json::to_value(self.role).unwrap_or_default());
        claims.insert("exp".into(), (self.expires_at.micros() / 1_000_000).into());
        claims.extend(issuer.map(|issuer| ("iss".into(), issuer.into())));
        claims.extend(self.name.as_deref().map(|name| ("name".into(), name.into())));
        claims.extend(self.within.as_ref().map(|seller| ("within".into(), seller.as_str().into())));
        if !self.attributes.is_empty() {
            let attributes = self.attributes.iter().map(|(name, values)| (name.clone(), values.clone().into()));
            claims.insert("attrs".into(), Value::Object(attributes.collect()));
        }
        Value::Object(claims)
    }
}

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who calls.
    pub caller: Caller,
    /// How it is called.
    pub name: Option<Arc<str>>,
    /// What bindings may trust, by name.
    pub attributes: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// Why a token is not believed. No part of the token is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It has not the form of a token.
    #[error("not a signed token (JWT)")]
    Malformed,
    /// It brings or points to a key of its own, or demands what is not understood.
    #[error("the header may not have `{0}`")]
    Header(&'static str),
    /// It does not say which key.
    #[error("the header needs `kid`: there are several keys")]
    NoKey,
    /// It names a key that is not configured.
    #[error("`kid` names no key of this server")]
    UnknownKey,
    /// Its key signs in another way.
    #[error("its key does not sign with this `alg`")]
    Algorithm,
    /// The signature is not that of its key.
    #[error("the signature does not fit")]
    Signature,
    /// A claim is missing or of the wrong type.
    #[error("the claim `{claim}` must be {expected}")]
    Claim {
        /// Which.
        claim: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// It is over.
    #[error("expired {}", seconds(.0, "ago"))]
    Expired(Duration),
    /// It has not begun.
    #[error("not valid yet: begins in {}", seconds(.0, ""))]
    Early(Duration),
    /// It is valid for too long.
    #[error("valid for longer than the {} that `auth.ttl_max` allows", humantime_serde::re::humantime::format_duration(*.0))]
    TooLong(Duration),
    /// It is for others.
    #[error("the claim `aud` must be \"fenliu\"")]
    Audience,
    /// Somebody else issued it.
    #[error("the claim `iss` is not the configured issuer")]
    Issuer,
    /// Its key may not speak for this role.
    #[error("its key may not speak for this role")]
    Role,
    /// Only the server's own key may say so.
    #[error("the claim `within` is for this server's own tokens")]
    Within,
}

fn seconds(span: &Duration, after: &str) -> String {
    format!("{} s {after}", span.as_secs()).trim_end().to_owned()
}

/// The claims as they came.
pub(super) struct Read<'a>(pub(super) &'a Map<String, Value>);

impl Read<'_> {
    pub(super) fn subject(&self) -> Result<Arc<str>, Rejected> {
        let sub = self.text("sub", "a string that is not empty")?.filter(|sub| !sub.is_empty());
        sub.map(Arc::from).ok_or(Rejected::Claim { claim: "sub", expected: "a string that is not empty" })
    }

    pub(super) fn role(&self) -> Result<Role, Rejected> {
        const EXPECTED: &str = "buyer, staff or operator";
        match self.text("role", EXPECTED)? {
            Some("buyer") => Ok(Role::Buyer),
            Some("staff") => Ok(Role::Staff),
            Some("operator") => Ok(Role::Operator),
            _ => Err(Rejected::Claim { claim: "role", expected: EXPECTED }),
        }
    }

    pub(super) fn name(&self) -> Result<Option<Arc<str>>, Rejected> {
        Ok(self.text("name", "a string")?.map(Arc::from))
    }

    pub(super) fn within(&self) -> Result<Option<SellerId>, Rejected> {
        Ok(self.text("within", "a seller's id")?.map(SellerId::from))
    }

    pub(super) fn audience(&self) -> Result<(), Rejected> {
        let is_ours = |value: &Value| value.as_str() == Some(AUDIENCE);
        let found = match self.0.get("aud") {
            Some(Value::Array(all)) => all.iter().all(Value::is_string) && all.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        };
        if found { Ok(()) } else { Err(Rejected::Audience) }
    }

    pub(super) fn issuer(&self, configured: Option<&str>) -> Result<(), Rejected> {
        match configured {
            Some(issuer) if self.0.get("iss").and_then(Value::as_str) != Some(issuer) => Err(Rejected::Issuer),
            _ => Ok(()),
        }
    }

    /// Checks when it is valid, and says until when.
    pub(super) fn validity(&self, now: Timestamp, ttl_max: Duration) -> Result<Timestamp, Rejected> {
        const EXPECTED: &str = "a number of seconds since 1970";
        let expires_at = self.time("exp")?.ok_or(Rejected::Claim { claim: "exp", expected: EXPECTED })?;
        if now > expires_at + LEEWAY {
            return Err(Rejected::Expired(now.since(expires_at)));
        }
        if let Some(begins) = self.time("nbf")?
            && begins > now + LEEWAY
        {
            return Err(Rejected::Early(begins.since(now)));
        }
        if !ttl_max.is_zero() && expires_at.since(now) > ttl_max.saturating_add(LEEWAY) {
            return Err(Rejected::TooLong(ttl_max));
        }
        Ok(expires_at)
    }

    pub(super) fn attributes(&self) -> Result<Vec<(Arc<str>, Vec<Arc<str>>)>, Rejected> {
        const WRONG: Rejected =
            Rejected::Claim { claim: "attrs", expected: "an object of strings or lists of strings" };
        let attributes = match self.0.get("attrs") {
            None => return Ok(Vec::new()),
            Some(Value::Object(attributes)) => attributes,
            Some(_) => return Err(WRONG),
        };
        let mut read: Vec<(Arc<str>, Vec<Arc<str>>)> = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            let values = match value {
                Value::Array(values) => values.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
                one => one.as_str().map(|one| vec![one]),
            };
            let values = values.ok_or(WRONG)?.into_iter().map(Arc::from).collect();
            read.push((Arc::from(name.as_str()), values));
        }
        read.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(read)
    }

    fn text(&self, claim: &'static str, expected: &'static str) -> Result<Option<&str>, Rejected> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Rejected::Claim { claim, expected }),
        }
    }

    fn time(&self, claim: &'static str) -> Result<Option<Timestamp>, Rejected> {
        const MICROS: f64 = 1_000_000.0;
        let wrong = Rejected::Claim { claim, expected: "a number of seconds since 1970" };
        match self.0.get(claim) {
            None => Ok(None),
            // A float beyond the range becomes the nearest end of it.
            #[expect(clippy::cast_possible_truncation, reason = "microseconds of any real date fit; others saturate")]
            Some(Value::Number(number)) => {
                let micros = number.as_f64().filter(|seconds| *seconds >= 0.0).ok_or(wrong)? * MICROS;
                Ok(Some(Timestamp::from_micros(micros as i64)))
            }
            Some(_) => Err(wrong),
        }
    }
}
