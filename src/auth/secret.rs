//! The server's own secret where none is given: made once, kept in the data directory.
//! Secrets that are given are only read here.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::keys::KeysError;
use super::settings::{SECRET_BYTES_MIN, Secret};

const NAME: &str = "secret";
const RANDOM_BYTES: usize = 32;
/// A key file that is longer is none.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The secret kept in `directory`, made if there is none.
pub(super) fn kept(directory: &Path) -> Result<Secret, KeysError> {
    let path = directory.join(NAME);
    let unkept = |error| KeysError::Unkept(path.clone(), error);
    match fs::metadata(&path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => return Err(KeysError::Exposed(path)),
        Ok(_) => return read(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(KeysError::Unreadable(path, error)),
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unkept)?;
    let draft = directory.join(format!("{NAME}.{:016x}", getrandom::u64().map_err(|_| KeysError::NoRandom)?));
    let written = write(&draft, &random_text()?).and_then(|()| publish(&draft, &path));
    let _ = fs::remove_file(&draft);
    written.map_err(unkept)?;
    read(&path)
}

/// The secret that a file has: its text without the white space around it.
pub(super) fn read(path: &Path) -> Result<Secret, KeysError> {
    let text = read_text(path)?;
    let text = text.trim();
    if text.len() < SECRET_BYTES_MIN {
        return Err(KeysError::Short(path.into()));
    }
    Ok(text.into())
}

/// A key file's text.
pub(super) fn read_text(path: &Path) -> Result<String, KeysError> {
    let unreadable = |error| KeysError::Unreadable(path.into(), error);
    if fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is too long for a key")));
    }
    fs::read_to_string(path).map_err(unreadable)
}

fn write(path: &PathBuf, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

// A link is made whole or not at all, and never over one that is there: of two that start at once, one wins.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn random_text() -> Result<String, KeysError> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| KeysError::NoRandom)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
