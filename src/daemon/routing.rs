//! The routing configuration at a start: judged against what was accepted last, as a reload would be, so that stopping,
//! editing and starting evades no rule.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;

use crate::config::load;
use crate::directory::{self, Accepted, Diagnostic, Directory, Severity, Unbound};
use crate::dispatch::{Configuration, File, ReadFiles};
use crate::journal::{Audit, Write, Writer};
use crate::model::Timestamp;

/// The configuration that a start has accepted.
pub struct Loaded {
    /// What the table is built of.
    pub directory: Arc<Directory>,
    /// What goes on with it.
    pub configuration: Configuration,
    /// What was said of it.
    pub warnings: Vec<Diagnostic>,
    /// What has to be in the store before anything follows from it, if it is another than the one recorded.
    record: Option<(Arc<Accepted>, Timestamp)>,
}

impl Loaded {
    /// Reads the files at a path.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(path: PathBuf, recorded: Option<&Accepted>, now: Timestamp) -> Result<Self, Vec<Diagnostic>> {
        let read: ReadFiles = Arc::new(move || load::routing(&path));
        Self::judge(read()?, read, recorded, now)
    }

    /// Judges files that have been read.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn judge(
        files: Vec<File>,
        read: ReadFiles,
        recorded: Option<&Accepted>,
        now: Timestamp,
    ) -> Result<Self, Vec<Diagnostic>> {
        // What an earlier version accepted and this one refuses cannot be compared with: the files stand for themselves.
        let before = recorded.and_then(|accepted| {
            let directory = accepted.directory(now);
            if let Err(faults) = &directory {
                tracing::warn!(faults = faults.len(), "the recorded configuration cannot be read by this version");
            }
            directory.ok()
        });
        let none = Unbound::new();
        let unbound = recorded.map_or(&none, |accepted| &accepted.unbound);
        let (directory, found) = directory::parse(&files, now, before.as_ref(), unbound);
        let Some(mut directory) = directory else { return Err(found) };
        let same = before.as_ref().is_some_and(|before| {
            directory::changes(before, &directory).is_empty() && before.unbound == directory.unbound
        });
        directory.generation = match recorded {
            Some(accepted) => accepted.generation + u64::from(!same),
            None => 1,
        };
        let accepted = Arc::new(Accepted::new(&files, &directory));
        let warnings: Vec<_> = found.into_iter().filter(|found| found.severity == Severity::Warning).collect();
        Ok(Self {
            configuration: Configuration::new(read, Arc::clone(&accepted), warnings.clone(), now),
            record: (!same).then_some((accepted, now)),
            directory: Arc::new(directory),
            warnings,
        })
    }

    /// Records it, before the first of its consequences.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn record(&mut self, writer: &Writer) -> anyhow::Result<()> {
        let Some((accepted, at)) = self.record.take() else { return Ok(()) };
        let detail = serde_json::json!({ "generation": accepted.generation }).to_string();
        let audit = Audit { at, by: "start".into(), action: "config.reload".into(), detail: detail.into() };
        let record = Write::All(vec![Write::Accepted(accepted), Write::Audit(audit)]);
        let position = writer.slot().await?.write(record);
        writer.durable(position).await.context("the configuration could not be recorded")
    }
}
