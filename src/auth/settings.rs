//! The section `[auth]`: whose tokens are believed.
//! Reading the key files is not here.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The shortest secret that is accepted, in bytes.
pub const SECRET_BYTES_MIN: usize = 32;

/// The section `[auth]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The owner's secret, of at least 32 bytes; it speaks for every role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("writeOnly" = true, "x-expected" = "a secret of at least 32 bytes"))]
    pub hs256_secret: Option<Secret>,
    /// The file that has it instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hs256_secret_file: Option<PathBuf>,
    /// Other keys, each limited to roles and, if wished, sellers.
    pub keys: Vec<Key>,
    /// Who must have issued a token, if that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// For how long a token may be valid from now; zero: any time.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-expected" = "a duration such as \"30s\", \"10m\" or \"72h\""))]
    pub ttl_max: Duration,
    /// Whether anonymous buyers may come in through the widget.
    pub visitors: bool,
    /// Whether the start page gives out tokens, to loopback alone.
    pub dev_tokens: bool,
    /// Whether operators may use the public socket.
    pub operators_on_public: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hs256_secret: None,
            hs256_secret_file: None,
            keys: Vec::new(),
            issuer: None,
            ttl_max: Duration::from_secs(30 * 24 * 3600),
            visitors: false,
            dev_tokens: false,
            operators_on_public: false,
        }
    }
}

impl Settings {
    /// What contradicts itself: the path of the key in question and what is wrong with it.
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.hs256_secret.is_some() && self.hs256_secret_file.is_some() {
            faults.push(("auth.hs256_secret".into(), "give the secret or the file that has it, not both".into()));
        }
        if self.hs256_secret.as_ref().is_some_and(|secret| secret.expose().len() < SECRET_BYTES_MIN) {
            faults.push(("auth.hs256_secret".into(), format!("a secret has at least {SECRET_BYTES_MIN} bytes")));
        }
        for (index, key) in self.keys.iter().enumerate() {
            let earlier = &self.keys[..index];
            if earlier.iter().any(|other| other.kid == key.kid) {
                faults.push((format!("auth.keys[{index}].kid"), format!("two keys are called `{}`", key.kid)));
            }
            let fault = key.fault().map(|fault| format!("the key `{}` {fault}", key.kid));
            faults.extend(fault.map(|fault| (format!("auth.keys[{index}]"), fault)));
        }
        faults
    }
}

/// A key that others sign with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name, which tokens carry.
    pub kid: String,
    /// The one way in which it signs.
    pub alg: Algorithm,
    /// Its public half, as PEM; for all but HS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_file: Option<PathBuf>,
    /// Its secret, of at least 32 bytes; for HS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// For whom it may speak.
    #[serde(default = "buyers")]
    pub roles: Vec<Role>,
    /// For which sellers it may speak; without: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sellers: Option<Vec<String>>,
}

impl Key {
    pub(super) fn fault(&self) -> Option<&'static str> {
        let symmetric = self.alg == Algorithm::HS256;
        match self {
            Self { kid, .. } if kid.is_empty() => Some("has no name"),
            Self { kid, .. } if kid == super::OWN_KEY => Some("has the name of the server's own"),
            Self { secret_file: None, .. } if symmetric => Some("needs `secret_file`"),
            Self { public_key_file: Some(_), .. } if symmetric => Some("has no public half: HS256 is a secret"),
            Self { public_key_file: None, .. } if !symmetric => Some("needs `public_key_file`"),
            Self { secret_file: Some(_), .. } if !symmetric => Some("takes `public_key_file` only"),
            Self { roles, .. } if roles.is_empty() => Some("speaks for no role"),
            Self { sellers: Some(sellers), .. } if sellers.is_empty() => Some("speaks for no seller"),
            Self { roles, sellers: Some(_), .. } if roles.contains(&Role::Operator) => {
                Some("cannot speak for operators and be limited to sellers: operators have all of them")
            }
            _ => None,
        }
    }
}

fn buyers() -> Vec<Role> {
    vec![Role::Buyer]
}

/// What a caller is, as its token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Somebody who buys.
    Buyer,
    /// A sub-account or a seller's main account.
    Staff,
    /// Whoever runs the daemon.
    Operator,
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-256: a secret that both sides have.
    HS256,
    /// Ed25519.
    EdDSA,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// RSA (PKCS 1 v1.5) with SHA-256.
    RS256,
}

/// A text that is never shown.
#[derive(Clone, JsonSchema)]
#[schemars(transparent)]
pub struct Secret(#[schemars(with = "String")] SecretString);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer)?.into()))
    }
}
