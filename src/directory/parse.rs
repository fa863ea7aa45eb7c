//! From the texts of the configuration to the checked snapshot, with everything that is wrong or doubtful in them.
//! It reads no file and no clock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, summary};
use super::document::{Document, SellerElement};
use super::ledger::Ledger;
use super::source::{Place, Source};
use super::staffing::Staffing;
use super::world::{World, duplicate};
use super::zone::{Zones, day_of};
use super::{Directory, Group, Seller, SubAccount, SubAccountKind, Target, Unbound, Via};
use super::{desk, domain, judge, read, rules, shop, staffing};
use crate::model::{AccountId, EntryId, GroupId, RoleId, SellerId, Timestamp};
use crate::policy::Scope;

/// The largest configuration, in bytes of all its files.
pub const BYTES_MAX: usize = 40 * 1024 * 1024;

/// How long before its end a certification is warned of.
const WARNING_DAYS: i64 = 30;

/// Reads the configuration: all files are together one document. The snapshot is there if nothing is an error.
///
/// Against a `recorded` configuration, authorizations that it does not have are new, and what a reload may not do is
/// an error; without one every authorization counts as recorded. What an operator unbound is left out.
///
/// ```
/// use fenliu::directory::{Unbound, parse};
/// use fenliu::model::Timestamp;
///
/// let text = "[[account]]\nid = \"lin\"\nplatfrom = \"douyin\"\nkind = \"personal\"\n";
/// let now = Timestamp::from_micros(1_795_492_800_000_000);
///
/// let (directory, found) = parse(&[("shops.toml".into(), text.into())], now, None, &Unbound::new());
///
/// assert!(directory.is_none());
/// let typo = found.iter().find(|one| one.text == "platfrom").unwrap();
/// assert_eq!((typo.line, typo.column), (3, 1));
/// assert_eq!(typo.nearest.as_deref(), Some("platform"));
/// ```
pub fn parse(
    files: &[(String, Arc<str>)],
    now: Timestamp,
    recorded: Option<&Directory>,
    unbound: &Unbound,
) -> (Option<Directory>, Vec<Diagnostic>) {
    let sources = (0..).zip(files).map(|(at, (name, text))| Source::new(at, name, text)).collect();
    let mut ledger = Ledger::new(sources);
    let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
    if bytes > BYTES_MAX {
        let message = format!("the routing configuration has {bytes} bytes");
        ledger.error(Place::default(), message).expecting(format!("at most {BYTES_MAX} bytes in all"));
        return (None, ledger.into_diagnostics());
    }

    let mut document = Document::default();
    for (file, _) in (0..).zip(files) {
        read::read_file(&mut ledger, file, &mut document);
    }
    let is_read = !ledger.has_errors();
    let directory = check(&mut ledger, &document, now, recorded, unbound);
    if let (true, Some(recorded)) = (is_read, recorded) {
        judge::report(&mut ledger, &document, recorded, &directory, now);
    }
    let directory = (!ledger.has_errors()).then_some(directory);
    (directory, ledger.into_diagnostics())
}

impl Directory {
    /// The snapshot of one text, each authorization counting as recorded.
    ///
    /// # Errors
    /// The diagnostics, a line each.
    pub fn from_toml(text: &str, now: Timestamp) -> Result<Self, String> {
        let files = [("routing.toml".to_owned(), Arc::from(text))];
        let (directory, diagnostics) = parse(&files, now, None, &Unbound::new());
        directory.ok_or_else(|| summary(&diagnostics))
    }
}

fn check(
    ledger: &mut Ledger<'_>,
    document: &Document,
    now: Timestamp,
    recorded: Option<&Directory>,
    unbound: &Unbound,
) -> Directory {
    let mut zones = Zones::new();
    let mut world = World::new(ledger, document, now, recorded, unbound);
    let mut directory = Directory { roles: roles(document, &world), ..Directory::default() };
    directory.accounts =
        world.accounts.iter().filter_map(|(id, (_, account))| Some((AccountId::from(*id), account.clone()?))).collect();
    directory.sub_accounts = world.sub_accounts.values().filter_map(|element| sub_account(element, recorded)).collect();

    let mut outlook = Outlook::default();
    let mut seen: HashMap<&str, Place> = HashMap::with_capacity(document.sellers.len());
    for (at, element) in document.sellers.iter().enumerate() {
        if let Some(id) = &element.id {
            match seen.get(&*id.value) {
                Some(first) => duplicate(ledger, id, "seller", *first),
                None => {
                    seen.insert(&id.value, id.place);
                }
            }
        }
        let (seller, unbound) = check_seller(ledger, &mut world, &mut zones, at, element, &mut outlook);
        directory.unbound.extend(unbound.into_iter().map(|account| (seller.id.clone(), AccountId::from(account))));
        directory.insert(seller, recorded);
    }
    shop::check_bound_main_accounts(ledger, &world);
    outlook.warn_of_idle_sub_accounts(ledger, document);
    directory.serving = serving(&directory);
    directory.domains = domain::domains(&directory);
    directory
}

fn serving(directory: &Directory) -> HashMap<AccountId, Vec<SellerId>> {
    let mut serving: HashMap<AccountId, Vec<SellerId>> = HashMap::with_capacity(directory.sub_accounts.len());
    for seller in directory.sellers.values() {
        for account in seller.agents.keys() {
            serving.entry(account.clone()).or_default().push(seller.id.clone());
        }
    }
    serving
}

fn roles(document: &Document, world: &World<'_>) -> BTreeMap<RoleId, crate::policy::ScopeSet> {
    let ids = document.roles.iter().filter_map(|role| role.id.as_ref());
    ids.filter_map(|id| Some((RoleId::from(&*id.value), *world.roles.get(&*id.value)?))).collect()
}

/// The sub-account; one that is as it was recorded is shared with the recorded snapshot.
fn sub_account(
    element: &super::document::SubAccountElement,
    recorded: Option<&Directory>,
) -> Option<(AccountId, Arc<SubAccount>)> {
    let id = element.id.as_ref()?;
    let account = AccountId::from(&*id.value);
    let sub_account = SubAccount {
        id: account.clone(),
        name: element.name.clone().unwrap_or_else(|| Arc::clone(&id.value)),
        kind: element.kind?.value,
        capacity: element.capacity,
        employer: element.employer.as_ref().map(|employer| AccountId::from(&*employer.value)),
    };
    let same = recorded.and_then(|recorded| recorded.sub_accounts.get(&account)).filter(|same| ***same == sub_account);
    let sub_account = same.map_or_else(|| Arc::new(sub_account), Arc::clone);
    Some((account, sub_account))
}

fn check_seller<'a>(
    ledger: &mut Ledger<'_>,
    world: &mut World<'a>,
    zones: &mut Zones,
    at: usize,
    element: &'a SellerElement,
    outlook: &mut Outlook<'a>,
) -> (Seller, HashSet<&'a str>) {
    let shop = shop::check(ledger, world, zones, at, element);
    let mut staffing = staffing::check(ledger, world, &shop.time_zone, at, element);
    let (groups, places) = desk::check(ledger, world, element, &mut staffing);
    let within = rules::Within { seller: element, shop: &shop, staffing: &staffing, groups: &places };
    let bindings = rules::check(ledger, world, zones, &within);
    outlook.look(ledger, world, element, &shop.time_zone, &staffing, &groups, &bindings);

    let name = |name: Option<&super::document::Name>| name.map_or_else(|| "".into(), |name| Arc::clone(&name.value));
    let account = element.account.as_ref().map_or_else(|| AccountId::from(""), shop::account_id);
    let seller = Seller {
        id: SellerId::from(element.id.as_ref().map_or("", |id| &*id.value)),
        name: name(element.name.as_ref()),
        account,
        capacity: element.capacity,
        time_zone: shop.time_zone,
        origins: element.origins.clone(),
        status: element.status,
        closure_notice_on: element.closure_notice_on,
        shop: shop.shop,
        licence_name: name(element.licence_name.as_ref().or(element.name.as_ref())),
        official_account: shop.official_account,
        channel_accounts: shop.channel_accounts,
        entries: shop.entries,
        default_group: GroupId::from(element.default_group.as_ref().map_or("", |group| &*group.value)),
        main_account_fallback: element.main_account_fallback,
        agents: staffing.agents,
        groups,
        bindings,
    };
    (seller, staffing.unbound)
}

impl Directory {
    /// Puts a seller in; one that is as it was recorded is shared with the recorded snapshot.
    fn insert(&mut self, seller: Seller, recorded: Option<&Self>) {
        let ways = std::iter::once(seller.shop.clone())
            .chain(seller.official_account.iter().map(|account| EntryId::from(account.as_str())))
            .chain(seller.channel_accounts.iter().map(|account| EntryId::from(account.as_str())))
            .chain(seller.entries.iter().map(|entry| entry.id.clone()));
        self.entries.extend(ways.map(|way| (way, seller.id.clone())));
        self.main_accounts.insert(seller.account.clone(), seller.id.clone());
        let same = recorded.and_then(|recorded| recorded.sellers.get(&seller.id)).filter(|same| ***same == seller);
        let seller = same.map_or_else(|| Arc::new(seller), Arc::clone);
        self.sellers.insert(seller.id.clone(), seller);
    }
}

/// What is not wrong and will be, or does nothing.
#[derive(Default)]
struct Outlook<'a> {
    /// Accounts whose certification has been warned of.
    warned: HashSet<&'a str>,
    /// Whoever is in a group, or authorised, or employs somebody who is.
    occupied: HashSet<AccountId>,
}

impl<'a> Outlook<'a> {
    #[expect(clippy::too_many_arguments, reason = "the parts of one seller, once")]
    fn look(
        &mut self,
        ledger: &mut Ledger<'_>,
        world: &World<'a>,
        seller: &'a SellerElement,
        zone: &jiff::tz::TimeZone,
        staffing: &Staffing<'a>,
        groups: &[Group],
        bindings: &[super::Binding],
    ) {
        let certified = seller.authorizations.iter().filter_map(|element| element.sub_account.as_ref());
        for name in seller.account.iter().chain(certified) {
            self.warn_of_end(ledger, world, &name.value, zone);
        }

        let mut busy: HashSet<&AccountId> = HashSet::new();
        for member in groups.iter().flat_map(|group| &group.members) {
            busy.insert(&member.account);
            if let Some(Via::Employer(employer)) = staffing.agents.get(&member.account).map(|agent| &agent.via) {
                busy.insert(employer);
            }
        }
        busy.extend(bindings.iter().filter_map(|binding| match &binding.to {
            Target::Agent(agent) => Some(agent),
            Target::Group(_) | Target::LeaveMessage(_) => None,
        }));
        self.occupied.extend(busy.iter().map(|account| (*account).clone()));
        self.occupied.extend(staffing.named.keys().map(|name| AccountId::from(*name)));
        for (name, place) in &staffing.named {
            let Some(agent) = staffing.agents.get(*name) else { continue };
            if agent.scopes.has(Scope::Receive) && !busy.contains(&agent.account) {
                ledger
                    .warning(*place, format!("`{name}` is in no group of this seller, so it is given no conversation"));
            }
        }
    }

    /// Once for each account, by the calendar of the first seller that it matters to.
    fn warn_of_end(&mut self, ledger: &mut Ledger<'_>, world: &World<'a>, account: &'a str, zone: &jiff::tz::TimeZone) {
        let Some((element, Some(account))) = world.accounts.get(account) else { return };
        let (Some(day), Some(id)) = (&element.certified_until, &element.id) else { return };
        if world.now >= account.fit_until(zone) || !self.warned.insert(&id.value) {
            return;
        }
        let left = day.value.since(day_of(world.now, zone)).map_or(i64::MAX, |span| i64::from(span.get_days()));
        if left <= WARNING_DAYS {
            let days = if left == 1 { "day" } else { "days" };
            let message = format!("the certification of `{}` ends in {left} {days}", account.id);
            ledger.warning(day.place, message).expecting("a renewed certification").by_rule(2);
        }
    }

    fn warn_of_idle_sub_accounts(&self, ledger: &mut Ledger<'_>, document: &Document) {
        let employers: HashSet<&str> = document
            .sub_accounts
            .iter()
            .filter_map(|element| element.employer.as_ref().map(|employer| &*employer.value))
            .collect();
        for element in &document.sub_accounts {
            let (Some(id), Some(kind)) = (&element.id, element.kind) else { continue };
            let employs = kind.value == SubAccountKind::Certified && employers.contains(&*id.value);
            if !self.occupied.contains(&*id.value) && !employs {
                ledger.warning(id.place, format!("`{}` is in no group of any seller", id.value));
            }
        }
    }
}
