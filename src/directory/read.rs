//! From texts to the document: each element is read by itself.

use toml::de::DeTable;

use super::diagnostic::Diagnostic;
use super::document::{
    AccountElement, AuthorizationElement, Document, EntryElement, MemberElement, Name, OverflowElement, RoleElement,
    SellerElement, SubAccountElement,
};
use super::fields::{Fault, Fields, Value, mistyped, read_value, table};
use super::ledger::{Ledger, place, shown};
use super::source::{Place, Placed};
use super::{AccountKind, AccountStatus, Platform, ShopStatus, SubAccountKind, read_routing, value};
use crate::policy::{Scope, ScopeSet};

/// The largest capacity of anybody.
pub const CAPACITY_MAX: u32 = 10_000;
/// The capacity of whoever is given none.
pub const CAPACITY_DEFAULT: u32 = 5;

const TOP: &[&str] = &["role", "account", "sub_account", "seller"];

/// Reads one file into the document.
pub(super) fn read_file(ledger: &mut Ledger<'_>, file: u32, document: &mut Document) {
    let first_seller = document.sellers.len();
    let (tops, in_parts) = tops(ledger, file, "the routing configuration");
    for top in tops {
        read_top(ledger, top, document, in_parts.then_some(first_seller));
    }
}

/// The top of a file, and whether it is in parts: one that is no TOML is read element by element,
/// each its own top, so that an open bracket ends with its element.
pub(crate) fn tops<'a>(ledger: &mut Ledger<'a>, file: u32, what: &'static str) -> (Vec<Fields<'a>>, bool) {
    let text = ledger.text(file);
    let fields = |file, table| Fields::new(table, Place { file, start: 0, end: 0 }, what);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return (vec![fields(file, table.into_inner())], false);
    }

    let starts: Vec<usize> = std::iter::once(0).chain(element_starts(text)).collect();
    let ends = starts.iter().skip(1).copied().chain(std::iter::once(text.len()));
    let parts: Vec<_> = starts.iter().copied().zip(ends).filter(|(start, end)| start < end).collect();
    let parsed: Vec<_> = parts
        .iter()
        .map(|(start, end)| (*start, *end, DeTable::parse_recoverable(text.get(*start..*end).unwrap_or(""))))
        .collect();
    if parsed.iter().all(|(_, _, (_, errors))| errors.is_empty()) {
        // Only the elements together are at fault: one is a table here and an array there.
        errors.iter().for_each(|error| report_syntax(ledger, file, error));
        return (vec![fields(file, table.into_inner())], false);
    }

    let mut tops = Vec::with_capacity(parsed.len());
    for (start, end, (table, errors)) in parsed {
        let Some(part) = ledger.add_part(file, start, end) else { continue };
        errors.iter().for_each(|error| report_syntax(ledger, part, error));
        tops.push(fields(part, table.into_inner()));
    }
    (tops, true)
}

/// Where lines begin that are headers of elements.
fn element_starts(text: &str) -> impl Iterator<Item = usize> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let name = line.trim_start().strip_prefix("[[")?.split_once("]]")?.0;
        let is_name =
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_. ".contains(letter));
        (is_name && at > 0).then_some(at)
    })
}

/// Reads what stands at the top. In a part of a file, what belongs to a seller belongs to the last one of the file.
fn read_top(ledger: &mut Ledger<'_>, mut top: Fields<'_>, document: &mut Document, first_seller: Option<usize>) {
    let roles = top.elements(ledger, TOP[0], "[[role]]");
    document.roles.extend(roles.into_iter().map(|fields| role(ledger, fields)));
    let accounts = top.elements(ledger, TOP[1], "[[account]]");
    document.accounts.extend(accounts.into_iter().map(|fields| account(ledger, fields)));
    let sub_accounts = top.elements(ledger, TOP[2], "[[sub_account]]");
    document.sub_accounts.extend(sub_accounts.into_iter().map(|fields| sub_account(ledger, fields)));
    let last_seller = first_seller.and_then(|first| document.sellers.get_mut(first..)).and_then(<[_]>::last_mut);
    match (top.take_table(TOP[3]), last_seller) {
        (Some(mut fields), Some(seller)) => {
            read_desk(ledger, &mut fields, seller);
            fields.finish(ledger);
        }
        (Some(fields), None) => {
            ledger.error(fields.place, "what belongs to a seller stands below its [[seller]]").expecting("[[seller]]");
        }
        (None, _) => {
            let sellers = top.elements(ledger, TOP[3], "[[seller]]");
            document.sellers.extend(sellers.into_iter().map(|fields| seller(ledger, fields)));
        }
    }
    top.finish(ledger);
}

/// Who acts for a seller, its groups and its bindings.
fn read_desk(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>, seller: &mut SellerElement) {
    let authorizations = fields.elements(ledger, "authorization", "[[seller.authorization]]");
    seller.authorizations.extend(authorizations.into_iter().map(|fields| authorization(ledger, fields)));
    let groups = fields.elements(ledger, "group", "[[seller.group]]");
    seller.groups.extend(groups.into_iter().map(|fields| read_routing::group(ledger, fields)));
    let bindings = fields.elements(ledger, "binding", "[[seller.binding]]");
    seller.bindings.extend(bindings.into_iter().map(|fields| read_routing::binding(ledger, fields)));
}

fn report_syntax(ledger: &mut Ledger<'_>, file: u32, error: &toml::de::Error) {
    let text = ledger.text(file);
    let span = error.span().unwrap_or(0..0);
    let at = place(file, &span);
    ledger.damaged(at);
    let (message, expected) = match error.message().split_once(", expected ") {
        Some((message, expected)) => (message, Some(expected.to_owned())),
        None => (error.message(), None),
    };
    let is_second_official = message == "duplicate key" && text.get(span) == Some("official_account");
    let found: &mut Diagnostic = if is_second_official {
        ledger.error(at, "a shop has at most one official account").by_rule(5)
    } else {
        ledger.error(at, message)
    };
    found.expected = expected;
}

fn role(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> RoleElement {
    let id = fields.need(ledger, "id", value::id);
    let scopes = scopes(ledger, &mut fields);
    fields.finish(ledger);
    RoleElement { id, scopes }
}

fn scopes(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> ScopeSet {
    let scopes = fields.list(ledger, "scopes", scope);
    ScopeSet::of(&scopes)
}

fn scope(ledger: &mut Ledger<'_>, value: Value<'_>) -> Option<Scope> {
    let name = read_value(ledger, &value, value::string)?;
    if let Some(scope) = Scope::parse(&name.value) {
        return Some(scope);
    }
    if ["account.", "config.", "server."].iter().any(|operators| name.value.starts_with(operators)) {
        let message = format!("`{}` is the operator's and cannot be granted", shown(&name.value));
        ledger.error(name.place, message).by_rule(4);
        return None;
    }
    ledger.unknown(name.place, "scope", &name.value, Scope::ALL.iter().map(|scope| scope.name()));
    None
}

fn account(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> AccountElement {
    use AccountStatus::{Cancelled, Normal, Restricted};

    let platforms = [
        ("douyin", Platform::Douyin),
        ("toutiao", Platform::Toutiao),
        ("xigua", Platform::Xigua),
        ("huoshan", Platform::Huoshan),
    ];
    let kinds = [
        ("personal", AccountKind::Personal),
        ("enterprise", AccountKind::Enterprise),
        ("certified_enterprise", AccountKind::CertifiedEnterprise),
    ];
    let id = fields.need(ledger, "id", value::id);
    let platform = fields.need(ledger, "platform", value::choice(&platforms));
    let kind = fields.need(ledger, "kind", value::choice(&kinds));
    let statuses = [("normal", Normal), ("restricted", Restricted), ("cancelled", Cancelled)];
    let status = match fields.take("status") {
        Some(value) => read_value(ledger, &value, value::choice(&statuses)).map(|status| status.value),
        None => Some(Normal),
    };
    let cancelled_on = fields.take("cancelled_on");
    match (status, &cancelled_on) {
        (Some(Cancelled), None) => fields.lacks(ledger, "cancelled_on"),
        (Some(Normal | Restricted), Some(value)) => {
            ledger
                .error(value.place, "an account that is not cancelled has no day of it")
                .expecting("status = \"cancelled\"");
        }
        _ => {}
    }
    let cancelled_on = cancelled_on.and_then(|value| read_value(ledger, &value, value::date));
    let certified_until = fields.take("certified_until");
    if kind.is_some_and(|kind| kind.value == AccountKind::CertifiedEnterprise) && certified_until.is_none() {
        fields.lacks(ledger, "certified_until");
    }
    let certified_until = certified_until.and_then(|value| read_value(ledger, &value, value::date));
    let payee = fields.get(ledger, "payee", value::truth);
    fields.finish(ledger);
    let cancelled_on = cancelled_on.map(|day| day.value);
    AccountElement { id, platform, kind, status: status.unwrap_or(Normal), cancelled_on, certified_until, payee }
}

fn capacity(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> Option<u32> {
    fields.get(ledger, "capacity", value::whole(1, CAPACITY_MAX)).map(|capacity| capacity.value)
}

fn sub_account(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> SubAccountElement {
    let kinds = [("staff", SubAccountKind::Staff), ("certified", SubAccountKind::Certified)];
    let id = fields.need(ledger, "id", value::id);
    let name = fields.get(ledger, "name", value::name).map(|name| name.value);
    let kind = fields.need(ledger, "kind", value::choice(&kinds));
    let capacity = capacity(ledger, &mut fields).unwrap_or(CAPACITY_DEFAULT);
    let employer = fields.get(ledger, "employer", value::id);
    if let (Some(Placed { value: SubAccountKind::Certified, .. }), Some(employer)) = (kind, &employer) {
        ledger.error(employer.place, "only staff has an employer").expecting("kind = \"staff\", or no employer");
    }
    fields.finish(ledger);
    SubAccountElement { id, name, kind, capacity, employer }
}

fn seller(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> SellerElement {
    let id = fields.need(ledger, "id", value::id);
    let name = fields.need(ledger, "name", value::name);
    let account = fields.need(ledger, "account", value::id);
    let (status, closure_notice_on) = shop_status(ledger, &mut fields);
    let official_account = official_account(ledger, &mut fields);
    let default_group = fields.need(ledger, "default_group", value::id);
    let mut seller = SellerElement {
        id,
        name,
        account,
        capacity: capacity(ledger, &mut fields).unwrap_or(CAPACITY_DEFAULT),
        time_zone: fields.get(ledger, "time_zone", value::string),
        origins: fields.list(ledger, "origins", |ledger, value| {
            read_value(ledger, &value, value::origin).map(|origin| origin.value)
        }),
        status,
        closure_notice_on,
        shop: fields.get(ledger, "shop", value::id),
        licence_name: fields.get(ledger, "licence_name", value::string),
        official_account,
        channel_accounts: fields
            .list(ledger, "channel_accounts", |ledger, value| read_value(ledger, &value, value::id)),
        entries: fields
            .elements(ledger, "entries", "an entry")
            .into_iter()
            .map(|fields| entry(ledger, fields))
            .collect(),
        default_group,
        main_account_fallback: fields
            .get(ledger, "main_account_fallback", value::truth)
            .is_none_or(|fallback| fallback.value),
        authorizations: Vec::new(),
        groups: Vec::new(),
        bindings: Vec::new(),
    };
    read_desk(ledger, &mut fields, &mut seller);
    fields.finish(ledger);
    seller
}

fn shop_status(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> (ShopStatus, Option<jiff::civil::Date>) {
    let statuses = [("open", ShopStatus::Open), ("closing", ShopStatus::Closing), ("closed", ShopStatus::Closed)];
    let status = match fields.take("status") {
        Some(value) => read_value(ledger, &value, value::choice(&statuses)),
        None => Some(Placed { value: ShopStatus::Open, place: fields.place }),
    };
    let notice = fields.take("closure_notice_on");
    match (status.map(|status| status.value), &notice) {
        (Some(ShopStatus::Open), Some(value)) => {
            ledger
                .error(value.place, "a shop that is open has no closure notice")
                .expecting("status = \"closing\" or \"closed\"");
        }
        (Some(ShopStatus::Closing), None) => fields.lacks(ledger, "closure_notice_on"),
        _ => {}
    }
    let notice = notice.and_then(|value| read_value(ledger, &value, value::date));
    (status.map(|status| status.value).unwrap_or_default(), notice.map(|notice| notice.value))
}

fn official_account(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> Option<Name> {
    let value = fields.take("official_account")?;
    if matches!(value.value, toml::de::DeValue::Array(_)) && !ledger.is_damaged(value.place) {
        let message = "a shop has at most one official account";
        ledger.error(value.place, message).expecting("one id; further accounts are `channel_accounts`").by_rule(5);
        return None;
    }
    read_value(ledger, &value, value::id)
}

fn entry(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> EntryElement {
    let id = fields.need(ledger, "id", value::id);
    let kind = fields.get(ledger, "kind", value::id).map_or_else(|| "page".into(), |kind| kind.value);
    fields.finish(ledger);
    EntryElement { id, kind }
}

fn authorization(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> AuthorizationElement {
    let sub_account = fields.need(ledger, "sub_account", value::id);
    let role = fields.need(ledger, "role", value::id);
    let scopes = scopes(ledger, &mut fields);
    let capacity = capacity(ledger, &mut fields);
    fields.finish(ledger);
    AuthorizationElement { sub_account, role, scopes, capacity }
}

/// A member: an id, or a table with one.
pub(super) fn member(ledger: &mut Ledger<'_>, value: Value<'_>) -> Option<MemberElement> {
    const TIER_DEFAULT: u32 = 1;
    const WEIGHT_DEFAULT: u32 = 1;

    match value.value {
        toml::de::DeValue::String(_) => {
            let sub_account = read_value(ledger, &value, value::id)?;
            Some(MemberElement { sub_account, tier: TIER_DEFAULT, weight: WEIGHT_DEFAULT, capacity: None })
        }
        toml::de::DeValue::Table(_) => {
            let mut fields = table(ledger, value, "a member")?;
            let sub_account = fields.need(ledger, "sub_account", value::id);
            let tier = fields.get(ledger, "tier", value::whole(0, 1_000));
            let weight = fields.get(ledger, "weight", value::whole(1, 10_000));
            let capacity = capacity(ledger, &mut fields);
            fields.finish(ledger);
            let tier = tier.map_or(TIER_DEFAULT, |tier| tier.value);
            let weight = weight.map_or(WEIGHT_DEFAULT, |weight| weight.value);
            Some(MemberElement { sub_account: sub_account?, tier, weight, capacity })
        }
        other => {
            mistyped(ledger, value.place, &other, "an id, or { sub_account = …, tier = …, weight = …, capacity = … }");
            None
        }
    }
}

/// An overflow step.
pub(super) fn overflow(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> OverflowElement {
    let after = fields.need(ledger, "after", value::duration).map(|after| after.value);
    let to = fields.need(ledger, "to", value::id);
    fields.finish(ledger);
    OverflowElement { after, to }
}

/// A fault of something that is neither of two things.
pub(super) fn neither(value: &toml::de::DeValue<'_>, expected: &str) -> Fault {
    Fault::new(format!("this is {}", super::fields::kind(value))).expecting(expected)
}
