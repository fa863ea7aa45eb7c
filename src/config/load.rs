//! Reads the files of the routing configuration. What is in them is `directory`'s.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::directory::{BYTES_MAX, Diagnostic, Severity};

/// The most files that one directory may hold.
pub const FILES_MAX: usize = 10_000;

/// The largest settings file, in bytes.
const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;

/// Files by name, in the order in which they are one document.
pub type Files = Vec<(String, Arc<str>)>;

/// Every `*.toml` of a directory in name order, hidden ones aside, or one file.
///
/// # Errors
/// A diagnostic for everything that could not be read.
pub fn routing(path: &Path) -> Result<Files, Vec<Diagnostic>> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => together(&listed(path).map_err(|fault| vec![*fault])?),
        Ok(_) => together(&[path.to_path_buf()]),
        Err(error) => Err(vec![*unreadable(path, &error)]),
    }
}

/// The text of one file; one that is missing is empty, unless it is `required`.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn text(path: &Path, required: bool) -> Result<String, Box<Diagnostic>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !required => Ok(String::new()),
        Ok(found) if found.len() > SETTINGS_BYTES_MAX => {
            let mut fault = fault(path, "the settings file is too large");
            fault.expected = Some(format!("at most {SETTINGS_BYTES_MAX} bytes"));
            Err(fault)
        }
        _ => read(path, BYTES_MAX),
    }
}

/// These files, in this order.
///
/// # Errors
/// A diagnostic for everything that could not be read.
pub fn together(paths: &[PathBuf]) -> Result<Files, Vec<Diagnostic>> {
    let mut files = Files::with_capacity(paths.len());
    let mut faults = Vec::new();
    let mut left = BYTES_MAX;
    for path in paths {
        match read(path, left) {
            Ok(text) => {
                left = left.saturating_sub(text.len());
                files.push((path.display().to_string(), text.into()));
            }
            Err(fault) => faults.push(*fault),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

fn listed(directory: &Path) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let entries = fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| unreadable(directory, &error))?.file_name();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if !is_hidden && Path::new(&name).extension() == Some(OsStr::new("toml")) {
            names.push(name);
        }
        if names.len() > FILES_MAX {
            let mut fault = fault(directory, "the directory has too many files");
            fault.expected = Some(format!("at most {FILES_MAX} files"));
            return Err(fault);
        }
    }
    if names.is_empty() {
        let mut fault = fault(directory, "the directory has no `*.toml` file");
        fault.expected = Some("the files of the routing configuration".to_owned());
        return Err(fault);
    }
    names.sort_unstable();
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}

/// The text of a file of at most so many bytes.
fn read(path: &Path, bytes_max: usize) -> Result<String, Box<Diagnostic>> {
    let unreadable = |error: io::Error| unreadable(path, &error);
    // A pipe or a device would keep us waiting at its opening.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(fault(path, "this is no regular file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > bytes_max {
        let mut fault = fault(path, "with this file the routing configuration is too large");
        fault.expected = Some(format!("at most {} MiB in all files", BYTES_MAX / (1024 * 1024)));
        return Err(fault);
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Box<Diagnostic> {
    let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let good = String::from_utf8_lossy(good);
    let last_line = good.rsplit('\n').next().unwrap_or_default();
    let position = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    let line = position(good.matches('\n').count() + 1);
    let column = position(last_line.chars().count() + 1);
    let fault = fault(path, "the file is no UTF-8 text");
    Box::new(Diagnostic { line, column, expected: Some("UTF-8".to_owned()), ..*fault })
}

fn unreadable(path: &Path, error: &io::Error) -> Box<Diagnostic> {
    fault(path, &format!("cannot be read: {error}"))
}

fn fault(path: &Path, message: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic {
        severity: Severity::Error,
        file: path.display().to_string().into(),
        line: 1,
        column: 1,
        length: 1,
        text: String::new(),
        message: message.to_owned(),
        expected: None,
        nearest: None,
        rule: None,
        allowed_from: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        directory
    }

    #[test]
    fn files_are_read_in_name_order_and_others_are_left_alone() {
        let directory =
            directory(&[("b.toml", b"b"), ("a.toml", b"a"), (".a.toml", b"x"), ("c.toml~", b"x"), ("d.md", b"x")]);

        let files = routing(directory.path()).unwrap();

        let texts: Vec<_> = files.iter().map(|(name, text)| (name.rsplit('/').next().unwrap(), &**text)).collect();
        assert_eq!(texts, [("a.toml", "a"), ("b.toml", "b")]);
    }

    #[test]
    fn a_directory_without_files_and_a_path_without_anything_are_faults() {
        let directory = directory(&[]);

        let empty = routing(directory.path()).unwrap_err();
        let nothing = routing(&directory.path().join("gone")).unwrap_err();

        assert_eq!(empty[0].message, "the directory has no `*.toml` file");
        assert!(nothing[0].message.starts_with("cannot be read: "), "{}", nothing[0].message);
    }

    #[test]
    fn every_file_that_cannot_be_read_is_named() {
        let directory = directory(&[("a.toml", b"x = 1\ny = \"\xff\""), ("c.toml", b"")]);
        fs::create_dir(directory.path().join("b.toml")).unwrap();
        std::os::unix::fs::symlink("nowhere", directory.path().join("d.toml")).unwrap();

        let faults = routing(directory.path()).unwrap_err();

        let found: Vec<_> = faults.iter().map(|fault| (fault.line, fault.column, fault.message.as_str())).collect();
        assert_eq!(found[..2], [(2, 6, "the file is no UTF-8 text"), (1, 1, "this is no regular file")]);
        assert!(faults[2].file.ends_with("d.toml"));
    }

    #[test]
    fn what_is_too_large_names_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.toml", "b.toml"] {
            let file = File::create(directory.path().join(name)).unwrap();
            file.set_len(u64::try_from(BYTES_MAX).unwrap() / 2 + 1).unwrap();
        }

        let faults = routing(directory.path()).unwrap_err();

        assert_eq!(faults.len(), 1);
        assert!(faults[0].file.ends_with("b.toml"));
        assert_eq!(faults[0].expected.as_deref(), Some("at most 40 MiB in all files"));
    }
}
