//! The keys whose tokens are believed, each with what it may say.
//! Which account may do what is not known here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{DecodingKey, EncodingKey, Header};
use serde_json::{Map, Value};

use super::claims::{Claims, Identity, Read, Rejected};
use super::provider::Seal;
use super::settings::{Algorithm, Role, Settings};
use super::token::Token;
use super::{OWN_KEY, provider, secret};
use crate::model::{AccountId, BuyerKey, Caller, SellerId, Timestamp};

/// For how long a visitor is known.
const VISITOR_TTL: Duration = Duration::from_secs(30 * 24 * 3600);

/// All keys of the server, as they were read.
pub(super) struct Ring {
    keys: Vec<Key>,
    /// Which one is meant by a token that names none.
    sole: Option<usize>,
    signer: Option<EncodingKey>,
    issuer: Option<Arc<str>>,
    ttl_max: Duration,
}

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A key file cannot be read.
    #[error("cannot read the key file {}: {}", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// The server's own secret cannot be written.
    #[error("cannot keep a secret in {}: {}", .0.display(), .1)]
    Unkept(PathBuf, io::Error),
    /// Others may read the server's own secret.
    #[error("the secret {} can be read by others: make its mode 0600, or remove it to have a new one", .0.display())]
    Exposed(PathBuf),
    /// A secret is too short.
    #[error("the secret in {} has fewer than {} bytes", .0.display(), super::SECRET_BYTES_MIN)]
    Short(PathBuf),
    /// A public key is not one of its algorithm.
    #[error("{} is not a public key for {:?} in PEM", .0.display(), .1)]
    Unfit(PathBuf, Algorithm),
    /// The settings contradict themselves.
    #[error("{0}")]
    Settings(String),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandom,
}

/// Why a token cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// Only public keys are configured.
    #[error("there is no secret to sign with: only keys of others are configured")]
    NoSecret,
    /// Signing failed.
    #[error("the token cannot be signed")]
    Unsigned,
}

struct Key {
    kid: Arc<str>,
    seal: Seal,
    roles: Vec<Role>,
    sellers: Option<Arc<[SellerId]>>,
    own: bool,
}

impl Ring {
    /// Reads the keys. Where no key is given, or the server must sign itself and has no secret, one is made and kept
    /// in `data_dir`.
    ///
    /// # Errors
    /// The first key that cannot be had.
    pub(super) fn load(settings: &Settings, data_dir: &Path) -> Result<Self, KeysError> {
        provider::install();
        if let Some((_, fault)) = settings.faults().into_iter().next() {
            return Err(KeysError::Settings(fault));
        }
        let given = match (&settings.hs256_secret, &settings.hs256_secret_file) {
            (Some(secret), _) => Some(secret.clone()),
            (None, Some(path)) => Some(secret::read(path)?),
            (None, None) => None,
        };
        let configured = settings.keys.len() + usize::from(given.is_some());
        let own = match given {
            None if settings.keys.is_empty() || settings.visitors || settings.dev_tokens => {
                Some(secret::kept(data_dir)?)
            }
            given => given,
        };
        let mut keys = settings.keys.iter().map(Key::read).collect::<Result<Vec<_>, _>>()?;
        keys.extend(own.as_ref().map(|own| Key::own(own.expose().as_bytes())));
        Ok(Self {
            keys,
            sole: (configured <= 1).then_some(0),
            signer: own.map(|own| EncodingKey::from_secret(own.expose().as_bytes())),
            issuer: settings.issuer.as_deref().map(Arc::from),
            ttl_max: settings.ttl_max,
        })
    }

    /// Which of the files that the settings name cannot be used: the path of the key that names it, and why.
    pub(super) fn unusable(settings: &Settings) -> Vec<(String, KeysError)> {
        let own = settings.hs256_secret_file.as_ref().and_then(|path| secret::read(path).err());
        let own = own.map(|error| ("auth.hs256_secret_file".to_owned(), error));
        let others = settings.keys.iter().enumerate().filter(|(_, key)| key.fault().is_none());
        let others = others.filter_map(|(at, key)| {
            let name = if key.secret_file.is_some() { "secret_file" } else { "public_key_file" };
            Key::read(key).err().map(|error| (format!("auth.keys[{at}].{name}"), error))
        });
        own.into_iter().chain(others).collect()
    }

    /// Who a token speaks for at this time.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, Rejected> {
        let (key, claims) = self.signed(token)?;
        let claims = Read(&claims);
        claims.audience()?;
        claims.issuer(self.issuer.as_deref())?;
        let expires_at = claims.validity(now, self.ttl_max)?;
        let role = claims.role()?;
        let sub = claims.subject()?;
        let name = claims.name()?;
        if !key.roles.contains(&role) {
            return Err(Rejected::Role);
        }
        let within = claims.within()?;
        if within.is_some() && !(key.own && role == Role::Buyer) {
            return Err(Rejected::Within);
        }
        let attributes = if role == Role::Buyer { claims.attributes()? } else { Vec::new() };
        Ok(Identity { caller: key.caller(role, sub, within), name, attributes, expires_at })
    }

    /// Signs a token with the server's own secret.
    ///
    /// # Errors
    /// There is no such secret.
    pub(super) fn mint(&self, claims: &Claims) -> Result<String, MintError> {
        let signer = self.signer.as_ref().ok_or(MintError::NoSecret)?;
        let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some(OWN_KEY.into());
        let claims = claims.to_json(self.issuer.as_deref());
        jsonwebtoken::encode(&header, &claims, signer).map_err(|_| MintError::Unsigned)
    }

    /// A new anonymous buyer of one seller, with its token.
    ///
    /// # Errors
    /// There is no secret to sign with.
    pub(super) fn visitor(&self, seller: &SellerId, now: Timestamp) -> Result<(String, Identity), MintError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| MintError::Unsigned)?;
        let sub = format!("v-{}", uuid::Builder::from_random_bytes(id).into_uuid().simple());
        let ttl = if self.ttl_max.is_zero() { VISITOR_TTL } else { VISITOR_TTL.min(self.ttl_max) };
        let mut claims = Claims::new(Role::Buyer, sub, now + ttl);
        claims.within = Some(seller.clone());
        let token = self.mint(&claims)?;
        let identity = self.verify(&token, now).map_err(|_| MintError::Unsigned)?;
        Ok((token, identity))
    }

    fn signed(&self, token: &str) -> Result<(&Key, Map<String, Value>), Rejected> {
        let token = Token::parse(token).ok_or(Rejected::Malformed)?;
        let header = token.header().ok_or(Rejected::Malformed)?;
        if let Some(name) = header.refused() {
            return Err(Rejected::Header(name));
        }
        let key = match header.kid.as_deref() {
            Some(kid) => self.keys.iter().find(|key| *key.kid == *kid).ok_or(Rejected::UnknownKey)?,
            None => self.sole.and_then(|sole| self.keys.get(sole)).ok_or(Rejected::NoKey)?,
        };
        if header.alg != key.seal.algorithm() {
            return Err(Rejected::Algorithm);
        }
        if !key.seal.fits(token.signed, &token.signature) {
            return Err(Rejected::Signature);
        }
        Ok((key, token.claims().ok_or(Rejected::Malformed)?))
    }
}

impl Key {
    fn own(secret: &[u8]) -> Self {
        Self {
            kid: OWN_KEY.into(),
            seal: Seal::of_secret(secret),
            roles: vec![Role::Buyer, Role::Staff, Role::Operator],
            sellers: None,
            own: true,
        }
    }

    fn read(settings: &super::settings::Key) -> Result<Self, KeysError> {
        let path = settings.public_key_file.as_ref().or(settings.secret_file.as_ref());
        let path = path.ok_or_else(|| KeysError::Settings(format!("the key `{}` has no file", settings.kid)))?;
        let unfit = |_| KeysError::Unfit(path.clone(), settings.alg);
        let pem = || secret::read_text(path).map(String::into_bytes);
        let decoding = match settings.alg {
            Algorithm::HS256 => DecodingKey::from_secret(secret::read(path)?.expose().as_bytes()),
            Algorithm::EdDSA => DecodingKey::from_ed_pem(&pem()?).map_err(unfit)?,
            Algorithm::ES256 => DecodingKey::from_ec_pem(&pem()?).map_err(unfit)?,
            Algorithm::RS256 => DecodingKey::from_rsa_pem(&pem()?).map_err(unfit)?,
        };
        let sellers = settings.sellers.as_ref();
        Ok(Self {
            kid: settings.kid.as_str().into(),
            seal: Seal::new(settings.alg.into(), &decoding).map_err(unfit)?,
            roles: settings.roles.clone(),
            sellers: sellers.map(|sellers| sellers.iter().map(|seller| SellerId::from(seller.as_str())).collect()),
            own: false,
        })
    }

    fn caller(&self, role: Role, sub: Arc<str>, within: Option<SellerId>) -> Caller {
        match role {
            Role::Operator => Caller::Operator { sub },
            Role::Staff => Caller::Staff { account: AccountId::from(&*sub), sellers: self.sellers.clone() },
            Role::Buyer => {
                let only = match self.sellers.as_deref() {
                    Some([seller]) => Some(seller.clone()),
                    _ => within,
                };
                let sellers = self.sellers.clone().or_else(|| only.clone().map(|seller| Arc::from([seller])));
                Caller::Buyer { key: BuyerKey { within: only, sub }, sellers }
            }
        }
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::HS256 => Self::HS256,
            Algorithm::EdDSA => Self::EdDSA,
            Algorithm::ES256 => Self::ES256,
            Algorithm::RS256 => Self::RS256,
        }
    }
}
