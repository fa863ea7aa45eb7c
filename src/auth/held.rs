//! The keys as the daemon holds them: read at the start, and anew with every reload. Keys that are no good change nothing.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arc_swap::ArcSwap;

use super::claims::{Claims, Identity, Rejected};
use super::keys::{KeysError, MintError, Ring};
use super::settings::Settings;
use crate::model::{SellerId, Timestamp};

/// All keys of the server.
pub struct Keys {
    settings: Settings,
    data_dir: PathBuf,
    /// Where the settings are read again, if they are.
    source: OnceLock<Source>,
    current: ArcSwap<Ring>,
}

/// Reads the settings of keys as they are now, or says why that cannot be.
pub type Source = Box<dyn Fn() -> Result<Settings, String> + Send + Sync>;

impl Keys {
    /// Reads the keys. Where no key is given, or the server must sign itself and has no secret, one is made and kept
    /// in `data_dir`.
    ///
    /// # Errors
    /// The first key that cannot be had.
    pub fn load(settings: &Settings, data_dir: &Path) -> Result<Self, KeysError> {
        let current = ArcSwap::from_pointee(Ring::load(settings, data_dir)?);
        Ok(Self { settings: settings.clone(), data_dir: data_dir.to_owned(), source: OnceLock::new(), current })
    }

    /// From here on also the list of keys is read anew, with every reload.
    pub fn follow(&self, source: Source) {
        let _ = self.source.set(source);
    }

    /// Whether they could be read anew now.
    ///
    /// # Errors
    /// The first key that cannot be had.
    pub fn look(&self) -> Result<(), KeysError> {
        self.read().map(drop)
    }

    /// Reads them anew. Tokens that are in use stay so until they expire.
    ///
    /// # Errors
    /// The first key that cannot be had; what was there before stays.
    pub fn reload(&self) -> Result<(), KeysError> {
        self.current.store(self.read()?.into());
        Ok(())
    }

    fn read(&self) -> Result<Ring, KeysError> {
        let Some(source) = self.source.get() else { return Ring::load(&self.settings, &self.data_dir) };
        let now = source().map_err(KeysError::Settings)?;
        // Who is let in without a key of somebody's is settled at the start.
        let Settings { visitors, dev_tokens, operators_on_public, .. } = self.settings;
        Ring::load(&Settings { visitors, dev_tokens, operators_on_public, ..now }, &self.data_dir)
    }

    /// Which of the files that the settings name cannot be used: the path of the key that names it, and why.
    pub fn unusable(settings: &Settings) -> Vec<(String, KeysError)> {
        Ring::unusable(settings)
    }

    /// Who a token speaks for at this time.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, Rejected> {
        self.current.load().verify(token, now)
    }

    /// Signs a token with the server's own secret.
    ///
    /// # Errors
    /// There is no such secret.
    pub fn mint(&self, claims: &Claims) -> Result<String, MintError> {
        self.current.load().mint(claims)
    }

    /// A new anonymous buyer of one seller, with its token.
    ///
    /// # Errors
    /// There is no secret to sign with.
    pub fn visitor(&self, seller: &SellerId, now: Timestamp) -> Result<(String, Identity), MintError> {
        self.current.load().visitor(seller, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::{Role, Secret};

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    #[test]
    fn a_new_secret_is_believed_after_a_reload_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "a".repeat(32)).unwrap();
        let settings = Settings { hs256_secret_file: Some(file.clone()), ..Settings::default() };
        let keys = Keys::load(&settings, folder.path()).unwrap();
        let other = Settings { hs256_secret: Some(Secret::from("b".repeat(32).as_str())), ..Settings::default() };
        let other = Keys::load(&other, folder.path()).unwrap();
        let token = |keys: &Keys| keys.mint(&Claims::new(Role::Buyer, "ann", NOW + Duration::from_secs(60))).unwrap();
        let (old, new) = (token(&keys), token(&other));

        std::fs::write(&file, "too short").unwrap();
        assert!(keys.reload().is_err());
        assert!(keys.verify(&old, NOW).is_ok());

        std::fs::write(&file, "b".repeat(32)).unwrap();
        keys.reload().unwrap();
        assert!(keys.verify(&new, NOW).is_ok() && keys.verify(&old, NOW).is_err());
    }
}
