//! The column *who may* of the protocol once more, in its own words, against everybody who may come with any right.

use Scope as S;

use super::*;
use crate::model::{AccountId, BuyerKey, Caller, GroupId, SellerId, State, Subject};

/// An action, the roles that may call it (buyer, staff, operator), what it is called upon, and whoever may.
type Row = (Action, &'static str, Object, &'static [Who]);

#[derive(Clone, Copy, Debug)]
enum Who {
    All,
    Buyer,
    Operator,
    /// Whether it is the owner, or the one asked, is a matter of state.
    Staff,
    /// The owner that has this; the same.
    Owner(Scope),
    Holder,
    Held(Scope),
    Member(Scope),
    Anyone(Scope),
    /// Who may read it and has this.
    Reader(Scope),
}

const READERS: &[Who] = &[
    Who::Buyer,
    Who::Holder,
    Who::Held(S::ReadOwn),
    Who::Member(S::ReadGroup),
    Who::Anyone(S::ReadSeller),
    Who::Operator,
];

fn rows(method: Method) -> Vec<Row> {
    use Method as M;
    use Object::{Conversation, Nothing, Seller};

    let call = Action::Call(method);
    match method {
        M::SessionOpen | M::SessionRefresh | M::SessionPing | M::SessionClose | M::RpcDiscover => {
            vec![(call, "bso", Nothing, &[Who::All])]
        }
        M::ConversationStart => vec![(call, "b", Nothing, &[Who::All])],
        M::ConversationRate => vec![(call, "b", Conversation, &[Who::Buyer])],
        M::MessageSend => vec![
            (call, "bs", Conversation, &[Who::Buyer, Who::Owner(S::Send)]),
            (Action::SendNote, "s", Conversation, &[Who::Reader(S::Send)]),
        ],
        M::MessageHistory | M::ConversationGet => vec![(call, "bso", Conversation, READERS)],
        M::MessageRead | M::MessageTyping => vec![(call, "bs", Conversation, &[Who::Buyer, Who::Staff])],
        M::ConversationList => vec![
            (call, "bso", Nothing, &[Who::All]),
            (
                Action::ListSeller,
                "bso",
                Seller,
                &[Who::Anyone(S::ReadGroup), Who::Anyone(S::ReadSeller), Who::Operator],
            ),
        ],
        M::ConversationClose => {
            vec![(call, "bs", Conversation, &[Who::Buyer, Who::Owner(S::Close), Who::Anyone(S::Assign)])]
        }
        M::PresenceSet => vec![
            (call, "s", Nothing, &[Who::Anyone(S::Presence)]),
            (Action::PresenceOthers, "s", Seller, &[Who::Anyone(S::PresenceOthers)]),
        ],
        M::ConversationAccept | M::ConversationDecline => vec![(call, "s", Conversation, &[Who::Staff])],
        M::ConversationTransfer | M::ConversationTargets => {
            vec![(call, "s", Conversation, &[Who::Owner(S::Transfer), Who::Anyone(S::Assign)])]
        }
        M::ConversationClaim => vec![
            (call, "s", Conversation, &[Who::Anyone(S::Claim)]),
            (Action::Force, "s", Conversation, &[Who::Anyone(S::Exceed)]),
        ],
        M::ConversationAssign => vec![(call, "s", Conversation, &[Who::Anyone(S::Assign)])],
        M::ConversationWatch => vec![(call, "s", Conversation, &[Who::Anyone(S::Monitor)])],
        M::DeskView => vec![(call, "so", Seller, &[Who::Anyone(S::Desk), Who::Operator])],
        M::RoutingExplain => vec![(call, "so", Seller, &[Who::Anyone(S::Explain), Who::Operator])],
        M::ConfigStatus | M::ConfigReload | M::AccountUnbind | M::AccountBind | M::ServerStats | M::ServerDrain => {
            vec![(call, "o", Nothing, &[Who::Operator])]
        }
    }
}

/// Somebody: its role, whether its token speaks for the seller, what it is to the conversation, what it may.
#[derive(Clone, Debug)]
struct Somebody {
    caller: Caller,
    role: char,
    speaks: bool,
    authorised: bool,
    is: &'static str,
    scopes: ScopeSet,
}

impl Somebody {
    fn has(&self, scope: Scope) -> bool {
        self.role == 's' && self.scopes.has(scope)
    }

    fn reads(&self) -> bool {
        self.is == "owner"
            || (self.is == "held" && self.has(S::ReadOwn))
            || (self.is == "member" && self.has(S::ReadGroup))
            || self.has(S::ReadSeller)
    }

    fn sees(&self, object: Object) -> bool {
        let staff = self.role == 's' && self.speaks && self.authorised;
        match object {
            Object::Nothing => true,
            _ if self.role == 'o' => true,
            Object::Seller => staff,
            Object::Conversation if self.role == 'b' => self.is == "buyer" && self.speaks,
            Object::Conversation => staff && (self.reads() || self.is == "asked"),
        }
    }

    fn is_one(&self, who: Who) -> bool {
        match who {
            Who::All => true,
            Who::Buyer => self.role == 'b',
            Who::Operator => self.role == 'o',
            Who::Staff => self.role == 's',
            Who::Holder => self.is == "owner",
            Who::Held(scope) => self.is == "held" && self.has(scope),
            Who::Member(scope) => self.is == "member" && self.has(scope),
            Who::Owner(scope) | Who::Anyone(scope) => self.has(scope),
            Who::Reader(scope) => self.reads() && self.has(scope),
        }
    }
}

fn everybody() -> Vec<Somebody> {
    let tea = || Some([SellerId::from("tea")].into());
    let cups = || Some([SellerId::from("cups")].into());
    let mut all = Vec::new();
    let operator = Caller::Operator { sub: "root".into() };
    let (authorised, scopes) = (false, ScopeSet::EMPTY);
    all.push(Somebody { caller: operator, role: 'o', speaks: true, authorised, is: "operator", scopes });
    for (speaks, sellers) in [(true, None), (true, tea()), (false, cups())] {
        for is in ["buyer", "another"] {
            let key = BuyerKey { within: None, sub: is.into() };
            let caller = Caller::Buyer { key, sellers: sellers.clone() };
            all.push(Somebody { caller, role: 'b', speaks, authorised, is, scopes });
        }
        let alone = Scope::ALL.map(|scope| ScopeSet::of(&[scope]));
        let all_but = Scope::ALL.map(|scope| ScopeSet::ALL.without(scope));
        for is in ["owner", "asked", "held", "member", "nobody"] {
            for scopes in [ScopeSet::EMPTY, ScopeSet::ALL].into_iter().chain(alone).chain(all_but) {
                for authorised in [true, false] {
                    let caller = Caller::Staff { account: is.into(), sellers: sellers.clone() };
                    all.push(Somebody { caller, role: 's', speaks, authorised, is, scopes });
                }
            }
        }
    }
    all
}

#[test]
fn every_method_is_for_whom_the_protocol_says_and_for_nobody_else() {
    let (seller, group, buyer) =
        (SellerId::from("tea"), GroupId::from("all"), BuyerKey { within: None, sub: "buyer".into() });
    let [owner, asked, held] = ["owner", "asked", "held"].map(AccountId::from);
    let (asked, held) = ([asked], [held]);
    let subject = Subject {
        seller: &seller,
        group: &group,
        buyer: &buyer,
        owner: Some(&owner),
        state: State::Active,
        asked: &asked,
        held: &held,
    };
    let everybody = everybody();

    for row in Method::ALL.iter().flat_map(|method| rows(*method)) {
        let (action, roles, object, whoever) = row;
        for who in &everybody {
            let groups = if who.is == "member" { std::slice::from_ref(&group) } else { &[] };
            let rights = Rights { authorised: who.authorised, scopes: who.scopes, groups };
            let upon = if object == Object::Conversation { (Some(&subject), None) } else { (None, Some(&seller)) };

            let judged = permit(&who.caller, action, &rights, upon.0, upon.1).map(drop);

            let said = match judged {
                Ok(()) => whoever.iter().any(|way| who.is_one(*way)) && who.sees(object) && roles.contains(who.role),
                Err(Denied::Role) => !roles.contains(who.role),
                Err(Denied::Unseen) => roles.contains(who.role) && !who.sees(object),
                Err(Denied::Scope(missing)) => {
                    let may = whoever.iter().any(|way| who.is_one(*way));
                    roles.contains(who.role) && who.sees(object) && !may && !who.has(missing)
                }
            };
            assert!(said, "{action:?} by {who:?} is {judged:?}");
            assert_eq!(sees(&who.caller, &rights, &subject), who.sees(Object::Conversation), "{who:?}");
        }
    }
}
