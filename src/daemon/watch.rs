//! The files of the routing configuration, watched: something is done when they say something else than before. Reading
//! them is no change, and neither is writing the same again; a few changes in a row are one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::config::load;

/// How long nothing must have changed before the files are looked at.
const SILENCE: Duration = Duration::from_millis(200);

/// A watch over the files at a path.
pub(super) struct Watch {
    path: PathBuf,
    watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
    seen: u64,
}

impl Watch {
    /// Watches a directory, or a file.
    ///
    /// # Errors
    /// The system has no watches left, or the path does not exist.
    pub(super) fn new(path: PathBuf) -> notify::Result<Self> {
        let (changed, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_change = |kind| matches!(kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_));
            if event.map_or(true, |event| is_change(event.kind)) {
                // One that is under way already tells as much.
                let _ = changed.try_send(());
            }
        })?;
        let mut watch = Self { seen: fingerprint(&path), path, watcher, changes };
        watch.look_at_parent()?;
        watch.look_at_path();
        Ok(watch)
    }

    /// Waits until the files say something else.
    pub(super) async fn changed(&mut self) {
        loop {
            if self.changes.recv().await.is_none() {
                return std::future::pending().await;
            }
            while let Ok(Some(())) = tokio::time::timeout(SILENCE, self.changes.recv()).await {}
            // What was replaced as a whole is not watched any more.
            self.look_at_path();
            let path = self.path.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || fingerprint(&path)).await else { continue };
            if std::mem::replace(&mut self.seen, now) != now {
                return;
            }
        }
    }

    fn look_at_path(&mut self) {
        let _ = self.watcher.unwatch(&self.path);
        let _ = self.watcher.watch(&self.path, RecursiveMode::NonRecursive);
    }

    /// The directory may be taken away and put back, or be a link that is moved.
    fn look_at_parent(&mut self) -> notify::Result<()> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.watcher.watch(parent, RecursiveMode::NonRecursive)
    }
}

/// What the files say, or that they cannot be read.
fn fingerprint(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    match load::routing(path) {
        Ok(files) => files.hash(&mut hasher),
        Err(faults) => {
            for fault in faults {
                (&fault.file, &fault.message).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn is_told(watch: &mut Watch) -> bool {
        tokio::time::timeout(PATIENCE, watch.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn a_change_is_told_once_however_many_writes_it_takes() {
        let directory = tempfile::tempdir().unwrap();
        let routing = directory.path().join("routing");
        fs::create_dir(&routing).unwrap();
        fs::write(routing.join("a.toml"), "one").unwrap();
        let mut watch = Watch::new(routing.clone()).unwrap();

        for text in ["two", "three", "four"] {
            fs::write(routing.join("a.toml"), text).unwrap();
        }

        assert!(is_told(&mut watch).await);
        fs::write(routing.join("a.toml"), "four").unwrap();
        fs::write(routing.join("notes.md"), "nothing of the configuration").unwrap();
        assert!(tokio::time::timeout(SILENCE * 3, watch.changed()).await.is_err());
    }

    #[tokio::test]
    async fn a_link_that_is_swapped_under_us_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let within = |name: &str| directory.path().join(name);
        for (name, text) in [("first", "one"), ("second", "two")] {
            fs::create_dir(within(name)).unwrap();
            fs::write(within(name).join("a.toml"), text).unwrap();
        }
        std::os::unix::fs::symlink("first", within("routing")).unwrap();
        let mut watch = Watch::new(within("routing")).unwrap();

        std::os::unix::fs::symlink("second", within("new")).unwrap();
        fs::rename(within("new"), within("routing")).unwrap();

        assert!(is_told(&mut watch).await);
        fs::write(within("second").join("a.toml"), "three").unwrap();
        assert!(is_told(&mut watch).await);
    }

    #[tokio::test]
    async fn a_directory_that_is_taken_away_and_put_back_is_watched_on() {
        let directory = tempfile::tempdir().unwrap();
        let (routing, away) = (directory.path().join("routing"), directory.path().join("away"));
        fs::create_dir(&routing).unwrap();
        fs::write(routing.join("a.toml"), "one").unwrap();
        let mut watch = Watch::new(routing.clone()).unwrap();

        fs::rename(&routing, &away).unwrap();
        assert!(is_told(&mut watch).await);
        fs::rename(&away, &routing).unwrap();
        assert!(is_told(&mut watch).await);
        fs::write(routing.join("a.toml"), "two").unwrap();
        assert!(is_told(&mut watch).await);
    }
}
