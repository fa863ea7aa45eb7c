//! The signatures of tokens, by ring: HS256 both ways, the public-key ones to verify only.
//! What a token says is not looked at here.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use ring::{hmac, signature};

static RING: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: |algorithm, key| Ok(Box::new(Seal::new(*algorithm, key)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes it the one of this process; any time but the first changes nothing.
pub(super) fn install() {
    let _ = RING.install_default();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => {
            Ok(Box::new(Mac(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct Mac(hmac::Key);

impl Signer<Vec<u8>> for Mac {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Mac {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// What a key's signatures are compared with, prepared once.
pub(super) struct Seal {
    algorithm: Algorithm,
    by: By,
}

enum By {
    Secret(hmac::Key),
    Public(signature::UnparsedPublicKey<Vec<u8>>),
}

impl Seal {
    /// Of a secret, which signs in one way.
    pub(super) fn of_secret(secret: &[u8]) -> Self {
        Self { algorithm: Algorithm::HS256, by: By::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret)) }
    }

    /// Of a key that signs in this way.
    ///
    /// # Errors
    /// The key is of another kind.
    pub(super) fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self> {
        let bytes = key.try_get_as_bytes()?;
        let public: &'static dyn signature::VerificationAlgorithm = match (algorithm, key.family()) {
            (Algorithm::HS256, AlgorithmFamily::Hmac) => return Ok(Self::of_secret(bytes)),
            (Algorithm::EdDSA, AlgorithmFamily::Ed) => &signature::ED25519,
            (Algorithm::ES256, AlgorithmFamily::Ec) => &signature::ECDSA_P256_SHA256_FIXED,
            (Algorithm::RS256, AlgorithmFamily::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA256,
            _ => return Err(ErrorKind::InvalidAlgorithm.into()),
        };
        Ok(Self { algorithm, by: By::Public(signature::UnparsedPublicKey::new(public, bytes.to_vec())) })
    }

    /// In which way its key signs.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether its key has signed this.
    pub(super) fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.by {
            By::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            By::Public(key) => key.verify(message, signature).is_ok(),
        }
    }
}

impl Verifier<Vec<u8>> for Seal {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        if self.fits(message, signature) { Ok(()) } else { Err(Error::new()) }
    }
}

impl JwtVerifier for Seal {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
