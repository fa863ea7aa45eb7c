//! The accepted configuration as it is stored: its texts, from which an equal snapshot is read back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Diagnostic, Directory, Unbound, parse};
use crate::model::Timestamp;

/// What was accepted, complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The generation of the snapshot.
    pub generation: u64,
    /// The files by name, in the order in which they were read.
    pub files: Vec<(String, Arc<str>)>,
    /// Authorizations that an operator took away and the files still have.
    pub unbound: Unbound,
}

impl Accepted {
    /// What is to be stored for a snapshot that was read from these files.
    pub fn new(files: &[(String, Arc<str>)], directory: &Directory) -> Self {
        Self { generation: directory.generation, files: files.to_vec(), unbound: directory.unbound.clone() }
    }

    /// The snapshot again.
    ///
    /// # Errors
    /// The diagnostics, if this version of the check refuses what was accepted once.
    pub fn directory(&self, now: Timestamp) -> Result<Directory, Vec<Diagnostic>> {
        let (directory, diagnostics) = parse(&self.files, now, None, &self.unbound);
        let generation = self.generation;
        directory.map(|directory| Directory { generation, ..directory }).ok_or(diagnostics)
    }
}
