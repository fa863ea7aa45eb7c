//! The routing configuration while the daemon runs: read anew, judged against what is in force, taken as a whole or not
//! at all. Its record is in the journal before the first of its consequences.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Dispatch, unavailable};
use crate::delivery::Peer;
use crate::directory::{self, Accepted, Diagnostic, Directory, Severity, Unbound};
use crate::journal::{Audit, Position, Write};
use crate::model::{AccountId, SellerId, Timestamp};
use crate::protocol::{self, InForce, Reloaded, RpcError, Undone};
use crate::routing::{Recipient, changed_accounts};

/// A file of the configuration: its name and its text.
pub type File = (String, Arc<str>);
/// Reads the files of the configuration, or says what is wrong with them. It may block.
pub type ReadFiles = Arc<dyn Fn() -> Result<Vec<File>, Vec<Diagnostic>> + Send + Sync>;

/// What is read anew with the configuration and is no part of it: certificates, keys.
#[derive(Default)]
pub struct Renewals {
    all: parking_lot::Mutex<Vec<Renew>>,
}

/// What is done with something that is read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It is looked at, and what was there before stays.
    Rehearsed,
    /// It is taken if it is good, else what was there before stays.
    Taken,
}

/// Reads something anew, and says what is wrong with it.
type Renew = Box<dyn Fn(Renewal) -> Vec<Diagnostic> + Send>;

impl Renewals {
    /// Adds one. What it says is a warning of the reload.
    pub fn add(&self, renew: impl Fn(Renewal) -> Vec<Diagnostic> + Send + 'static) {
        self.all.lock().push(Box::new(renew));
    }

    fn run(&self, renewal: Renewal) -> Vec<Diagnostic> {
        self.all.lock().iter().flat_map(|renew| renew(renewal)).collect()
    }
}

/// How many changes an audit entry names.
const AUDITED_CHANGES: usize = 100;

/// The configuration, as the daemon has it beside the table.
pub struct Configuration {
    read: ReadFiles,
    /// Held while the configuration changes: one change at a time.
    changing: tokio::sync::Mutex<()>,
    current: parking_lot::Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    accepted: Arc<Accepted>,
    in_force: InForce,
}

/// What is about to be in force.
struct Candidate {
    files: Vec<File>,
    directory: Directory,
    warnings: Vec<Diagnostic>,
}

impl Configuration {
    /// The one that a start has accepted.
    pub fn new(read: ReadFiles, accepted: Arc<Accepted>, warnings: Vec<Diagnostic>, loaded_at: Timestamp) -> Self {
        let current = Current::new(accepted, warnings, loaded_at);
        Self { read, changing: tokio::sync::Mutex::new(()), current: parking_lot::Mutex::new(current) }
    }

    /// What is in force.
    pub fn in_force(&self) -> InForce {
        self.current.lock().in_force.clone()
    }

    /// What is recorded.
    pub fn accepted(&self) -> Arc<Accepted> {
        Arc::clone(&self.current.lock().accepted)
    }
}

impl Current {
    fn new(accepted: Arc<Accepted>, warnings: Vec<Diagnostic>, loaded_at: Timestamp) -> Self {
        let files = accepted.files.iter().map(|(name, _)| name.as_str().into()).collect();
        Self { accepted, in_force: InForce { loaded_at, files, warnings: warnings.into() } }
    }
}

impl Dispatch {
    /// Reads the configuration anew and takes it, or with `dry_run` says what it would change. `by` stands in the
    /// audit log.
    ///
    /// # Errors
    /// What is wrong with it, as `invalid_params` with the diagnostics; or that it cannot be recorded. Then nothing
    /// has changed.
    pub async fn reload(&self, by: &str, dry_run: bool) -> Result<Reloaded, RpcError> {
        let reloaded = self.guarded(self.try_reload(by, dry_run)).await;
        if !dry_run {
            self.metrics.reloaded(reloaded.is_ok(), self.clock.now().micros());
        }
        reloaded
    }

    async fn try_reload(&self, by: &str, dry_run: bool) -> Result<Reloaded, RpcError> {
        let _changing = self.configuration.changing.lock().await;
        let (renewals, renewal) =
            (Arc::clone(&self.renewals), if dry_run { Renewal::Rehearsed } else { Renewal::Taken });
        let stale = blocking(move || renewals.run(renewal)).await?;
        if renewal == Renewal::Taken {
            for found in &stale {
                tracing::error!(file = &*found.file, error = found.message, "a certificate or key was not renewed");
            }
        }
        let read = Arc::clone(&self.configuration.read);
        let files = blocking(move || read()).await?.map_err(|faults| protocol::refused(&faults))?;
        let unbound = self.configuration.accepted().unbound.clone();
        let mut candidate = self.check(files, unbound).await?;
        candidate.warnings.extend(stale);
        if dry_run {
            return Ok(self.rehearse(candidate));
        }
        self.take(candidate, by, "config.reload", None).await
    }

    /// Ends an authorization, whatever the files say.
    ///
    /// # Errors
    /// There is no such authorization, or it cannot be recorded.
    pub(super) async fn unbind(&self, by: &str, seller: SellerId, account: AccountId) -> Result<(), RpcError> {
        let _changing = self.configuration.changing.lock().await;
        let directory = self.table.directory();
        let seller_known = directory.sellers.get(&seller).ok_or_else(RpcError::not_found)?;
        let accepted = self.configuration.accepted();
        let mut unbound = accepted.unbound.clone();
        let direct = seller_known.agents.get(&account).is_some_and(|known| known.via == directory::Via::Direct);
        if !direct && !unbound.contains(&(seller.clone(), account.clone())) {
            return Err(RpcError::not_found());
        }
        if !unbound.insert((seller.clone(), account.clone())) {
            return Ok(());
        }
        let candidate = self.check(accepted.files.clone(), unbound).await?;
        self.take(candidate, by, "account.unbind", Some((seller, account))).await.map(drop)
    }

    /// Lets an authorization that was unbound be what the files say.
    ///
    /// # Errors
    /// It was not unbound, it would not be allowed now, or it cannot be recorded.
    pub(super) async fn bind(&self, by: &str, seller: SellerId, account: AccountId) -> Result<(), RpcError> {
        let _changing = self.configuration.changing.lock().await;
        let directory = self.table.directory();
        let seller_known = directory.sellers.get(&seller).ok_or_else(RpcError::not_found)?;
        let accepted = self.configuration.accepted();
        let mut unbound = accepted.unbound.clone();
        if !unbound.remove(&(seller.clone(), account.clone())) {
            let bound = seller_known.agents.contains_key(&account);
            return if bound { Ok(()) } else { Err(RpcError::not_found()) };
        }
        let candidate = self.check(accepted.files.clone(), unbound).await?;
        self.take(candidate, by, "account.bind", Some((seller, account))).await.map(drop)
    }

    async fn check(&self, files: Vec<File>, unbound: Unbound) -> Result<Candidate, RpcError> {
        let (recorded, now) = (self.table.directory(), self.clock.now());
        blocking(move || {
            let (directory, found) = directory::parse(&files, now, Some(&recorded), &unbound);
            let Some(directory) = directory else { return Err(protocol::refused(&found)) };
            let warnings = found.into_iter().filter(|found| found.severity == Severity::Warning).collect();
            Ok(Candidate { files, directory, warnings })
        })
        .await?
    }

    fn rehearse(&self, candidate: Candidate) -> Reloaded {
        let old = self.table.directory();
        let changes = directory::changes(&old, &candidate.directory);
        let generation = old.generation + u64::from(!changes.is_empty());
        let affected = self.table.rehearse_reload(&Arc::new(candidate.directory), self.clock.now());
        Reloaded { generation, applied: false, changes, affected, warnings: candidate.warnings }
    }

    /// Takes a configuration: its record first, then the table, then everything that follows from it.
    async fn take(
        &self,
        candidate: Candidate,
        by: &str,
        action: &str,
        object: Option<(SellerId, AccountId)>,
    ) -> Result<Reloaded, RpcError> {
        let Candidate { files, mut directory, warnings } = candidate;
        let old = self.table.directory();
        let changes = directory::changes(&old, &directory);
        directory.generation = old.generation + u64::from(!changes.is_empty() || directory.unbound != old.unbound);
        let directory = Arc::new(directory);
        let now = self.clock.now();
        let accepted = Arc::new(Accepted::new(&files, &directory));
        let current = Current::new(Arc::clone(&accepted), warnings.clone(), now);
        let detail = audited(directory.generation, &changes, object.as_ref());
        let audit = Audit { at: now, by: by.into(), action: action.into(), detail: detail.into() };
        let record = Write::All(vec![Write::Accepted(accepted), Write::Audit(audit)]);

        let slot = self.writer.slot().await.map_err(|_| unavailable())?;
        let lanes = self.lanes.reserve_all().await;
        let mut position = Position(0);
        let rearranged = self.table.reload(Arc::clone(&directory), now, |rearranged| {
            position = slot.write(record);
            let affected = rearranged.accounts.iter().chain(&rearranged.newcomers);
            lanes.meet(affected.flat_map(|account| self.sessions_of(account)).collect());
        });
        let before = std::mem::replace(&mut *self.configuration.current.lock(), current);
        for domain in &rearranged.unsettled {
            self.go_on(*domain).await;
        }
        self.let_arrive(&rearranged.newcomers).await;
        if self.writer.durable(position).await.is_err() {
            *self.configuration.current.lock() = before;
            return Err(RpcError::unavailable(Undone::Unknown));
        }
        self.tell_changed(&old, &directory);
        self.settled().await?;
        tracing::info!(generation = directory.generation, changes = changes.len(), by, "the configuration was loaded");
        let affected = rearranged.affected;
        Ok(Reloaded { generation: directory.generation, applied: true, changes, affected, warnings })
    }

    fn sessions_of(&self, account: &AccountId) -> Vec<Arc<Peer>> {
        self.registry.sessions_of(&Recipient::Staff(account.clone()))
    }

    /// Sessions of accounts that act for somebody from now on arrive where they do.
    async fn let_arrive(&self, accounts: &[AccountId]) {
        for (account, peer) in
            accounts.iter().flat_map(|account| self.sessions_of(account).into_iter().map(move |peer| (account, peer)))
        {
            while let Some(domain) = self.table.domain_of_agent(account) {
                if !matches!(self.arrive(domain, &peer, None).await, Ok(None)) {
                    break;
                }
            }
        }
    }

    /// Staff whose own rights or groups have changed are told; those whose account is gone are sent away.
    fn tell_changed(&self, old: &Directory, new: &Directory) {
        let mut changed: BTreeMap<AccountId, _> = changed_accounts(old, new);
        let known = old.sub_accounts.keys().chain(old.main_accounts.keys());
        for account in known.filter(|account| !new.is_staff(account)) {
            changed.remove(account);
            self.registry.close_all(&Recipient::Staff(account.clone()), 4403, "the account was removed");
        }
        for (account, sellers) in changed {
            let peers = self.sessions_of(&account);
            if peers.is_empty() {
                continue;
            }
            let sellers: Vec<SellerId> = sellers.into_iter().collect();
            let text = protocol::config_changed(new.generation, &sellers);
            for peer in peers {
                peer.mailbox.push_event(text.clone(), false);
            }
        }
    }
}

fn audited(generation: u64, changes: &[directory::Change], object: Option<&(SellerId, AccountId)>) -> String {
    let named = &changes[..changes.len().min(AUDITED_CHANGES)];
    let mut detail = serde_json::json!({ "generation": generation, "changes": named, "changed": changes.len() });
    if let Some((seller, account)) = object {
        detail = serde_json::json!({ "generation": generation, "seller": seller, "sub_account": account });
    }
    detail.to_string()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RpcError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "the configuration could not be read");
        unavailable()
    })
}
