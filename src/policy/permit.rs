//! The judgement: a [`Permit`] that borrows from what was true when it was made, or why not.
//! The order is that of the protocol: role, then sight, then scope; state is judged by `routing`.

use super::rules::{Action, May, Object, Roles, rule};
use super::scope::{Scope, ScopeSet};
use crate::model::{Caller, GroupId, SellerId, Subject};

/// What the caller is for the seller of the object, now. A suspended authorization leaves only `conversation.read.own`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rights<'a> {
    /// Whether the seller authorises the caller at all, in force or not.
    pub authorised: bool,
    /// What it may do there now.
    pub scopes: ScopeSet,
    /// The groups there of which it is a member.
    pub groups: &'a [GroupId],
}

/// In what capacity the caller is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// As anybody who sees the object.
    Anybody,
    /// As the conversation's buyer.
    Buyer,
    /// As its owner; that it is, is a matter of state and still to be checked.
    Owner,
    /// As the one who is asked; that it is, is a matter of state and still to be checked.
    Asked,
    /// By a scope over others' conversations.
    Scope(Scope),
    /// As an operator.
    Operator,
}

/// Proof that the policy was asked about what is true now. It cannot be kept: it borrows from the subject.
#[derive(Debug)]
pub struct Permit<'a> {
    basis: Basis,
    caller: &'a Caller,
}

impl<'a> Permit<'a> {
    /// In what capacity.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// Who was permitted.
    pub fn caller(&self) -> &'a Caller {
        self.caller
    }
}

/// Why the policy says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token of this role may call the method.
    #[error("this role may not call the method")]
    Role,
    /// The object does not exist for this caller.
    #[error("there is no such object for this caller")]
    Unseen,
    /// The caller lacks this scope.
    #[error("the scope {} is missing", .0.name())]
    Scope(Scope),
}

/// What an action is judged upon.
#[derive(Clone, Copy, Debug)]
enum Upon<'a> {
    Nothing,
    Seller(&'a SellerId),
    Conversation(&'a Subject<'a>),
}

/// Whether a token of the caller's role may call it at all; asked before the object is looked for.
///
/// # Errors
/// [`Denied::Role`] if not.
pub fn permit_role(caller: &Caller, action: Action) -> Result<(), Denied> {
    let Roles { buyer, staff, operator } = rule(action).roles;
    let may = match caller {
        Caller::Buyer { .. } => buyer,
        Caller::Staff { .. } => staff,
        Caller::Operator { .. } => operator,
    };
    if may { Ok(()) } else { Err(Denied::Role) }
}

/// Whether the caller may know that the conversation exists.
pub fn sees(caller: &Caller, rights: &Rights<'_>, subject: &Subject<'_>) -> bool {
    match caller {
        Caller::Operator { .. } => true,
        Caller::Buyer { key, sellers } => subject.buyer == key && speaks_for(sellers.as_deref(), subject.seller),
        Caller::Staff { account, sellers } => {
            speaks_for(sellers.as_deref(), subject.seller)
                && rights.authorised
                && (subject.owner == Some(account)
                    || subject.asked.contains(account)
                    || rights.scopes.has(Scope::ReadSeller)
                    || (rights.scopes.has(Scope::ReadGroup) && rights.groups.contains(subject.group))
                    || (rights.scopes.has(Scope::ReadOwn) && subject.held.contains(account)))
        }
    }
}

/// Judges an action. `subject` is the conversation it is called upon, `seller` the seller, as its rule asks for.
///
/// # Errors
/// [`Denied`] in the protocol's order: the role, the sight, the scope.
pub fn permit<'a>(
    caller: &'a Caller,
    action: Action,
    rights: &Rights<'_>,
    subject: Option<&'a Subject<'a>>,
    seller: Option<&'a SellerId>,
) -> Result<Permit<'a>, Denied> {
    permit_role(caller, action)?;
    let rule = rule(action);
    let upon = match (rule.object, subject, seller) {
        (Object::Conversation, Some(subject), _) | (Object::Seller, Some(subject), None) => Upon::Conversation(subject),
        (Object::Seller, _, Some(seller)) => Upon::Seller(seller),
        (Object::Nothing, _, _) => Upon::Nothing,
        (Object::Conversation | Object::Seller, None, _) => return Err(Denied::Unseen),
    };
    if !is_seen(caller, rights, upon) {
        return Err(Denied::Unseen);
    }

    let basis = rule.may.iter().find_map(|may| fulfils(caller, *may, rights, upon));
    let basis = basis.or_else(|| rule.may.iter().find_map(|may| claims(caller, *may, rights)));
    basis.map(|basis| Permit { basis, caller }).ok_or_else(|| Denied::Scope(missing(rule.may, rights)))
}

fn is_seen(caller: &Caller, rights: &Rights<'_>, upon: Upon<'_>) -> bool {
    match (upon, caller) {
        (Upon::Nothing, _) | (_, Caller::Operator { .. }) => true,
        (Upon::Conversation(subject), _) => sees(caller, rights, subject),
        (Upon::Seller(seller), Caller::Staff { sellers, .. }) => {
            rights.authorised && speaks_for(sellers.as_deref(), seller)
        }
        (Upon::Seller(_), Caller::Buyer { .. }) => false,
    }
}

/// A way that is open now.
fn fulfils(caller: &Caller, may: May, rights: &Rights<'_>, upon: Upon<'_>) -> Option<Basis> {
    let subject = if let Upon::Conversation(subject) = upon { Some(subject) } else { None };
    let account = if let Caller::Staff { account, .. } = caller { Some(account) } else { None };
    let owns = subject.is_some_and(|subject| account.is_some() && subject.owner == account);
    let held = subject.is_some_and(|subject| account.is_some_and(|account| subject.held.contains(account)));
    let member = subject.is_some_and(|subject| rights.groups.contains(subject.group));
    let has = |scope| account.is_some() && rights.scopes.has(scope);

    match may {
        May::Whoever => Some(Basis::Anybody),
        May::Buyer => matches!(caller, Caller::Buyer { .. }).then_some(Basis::Buyer),
        May::Owner | May::Holder => owns.then_some(Basis::Owner),
        May::OwnerWith(scope) => (owns && has(scope)).then_some(Basis::Owner),
        May::Asked => account.is_some().then_some(Basis::Asked),
        May::HeldWith(scope) => (held && has(scope)).then_some(Basis::Anybody),
        May::MemberWith(scope) => (member && has(scope)).then_some(Basis::Scope(scope)),
        May::With(scope) | May::AnywhereWith(scope) => has(scope).then_some(Basis::Scope(scope)),
        May::ReaderWith(scope) => {
            let reads =
                owns || (held && has(Scope::ReadOwn)) || (member && has(Scope::ReadGroup)) || has(Scope::ReadSeller);
            (reads && has(scope)).then_some(Basis::Scope(scope))
        }
        May::Operator => matches!(caller, Caller::Operator { .. }).then_some(Basis::Operator),
    }
}

/// A way that would be open to the owner: whether the caller is the owner is state, and judged after scopes.
fn claims(caller: &Caller, may: May, rights: &Rights<'_>) -> Option<Basis> {
    let staff = matches!(caller, Caller::Staff { .. });
    match may {
        May::Owner => staff.then_some(Basis::Owner),
        May::OwnerWith(scope) => (staff && rights.scopes.has(scope)).then_some(Basis::Owner),
        _ => None,
    }
}

fn missing(may: &[May], rights: &Rights<'_>) -> Scope {
    let scopes = may.iter().filter_map(|may| match may {
        May::OwnerWith(scope)
        | May::HeldWith(scope)
        | May::MemberWith(scope)
        | May::With(scope)
        | May::ReaderWith(scope)
        | May::AnywhereWith(scope) => Some(*scope),
        May::Whoever | May::Buyer | May::Owner | May::Holder | May::Asked | May::Operator => None,
    });
    let mut lacking = scopes.filter(|scope| !rights.scopes.has(*scope));
    lacking.next().unwrap_or(Scope::ReadSeller)
}

fn speaks_for(sellers: Option<&[SellerId]>, seller: &SellerId) -> bool {
    sellers.is_none_or(|sellers| sellers.contains(seller))
}
