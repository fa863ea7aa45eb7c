//! Scopes: the single rights that an authorization can carry.

use std::fmt;

/// One right, for one seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Be given conversations.
    Receive,
    /// Write messages and notes.
    Send,
    /// Close what one holds.
    Close,
    /// Hand on what one holds.
    Transfer,
    /// Take a waiting conversation.
    Claim,
    /// Give a conversation to somebody.
    Assign,
    /// Go over capacity by `force`.
    Exceed,
    /// Follow a conversation without owning it.
    Monitor,
    /// Read what one held.
    ReadOwn,
    /// Read what one's groups have.
    ReadGroup,
    /// Read all of the seller.
    ReadSeller,
    /// Set one's own status.
    Presence,
    /// Set the status of others.
    PresenceOthers,
    /// See the seller's desk.
    Desk,
    /// Look into decisions.
    Explain,
}

impl Scope {
    /// Every scope, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Receive,
        Self::Send,
        Self::Close,
        Self::Transfer,
        Self::Claim,
        Self::Assign,
        Self::Exceed,
        Self::Monitor,
        Self::ReadOwn,
        Self::ReadGroup,
        Self::ReadSeller,
        Self::Presence,
        Self::PresenceOthers,
        Self::Desk,
        Self::Explain,
    ];

    /// The name in configuration and protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "conversation.receive",
            Self::Send => "conversation.send",
            Self::Close => "conversation.close",
            Self::Transfer => "conversation.transfer",
            Self::Claim => "conversation.claim",
            Self::Assign => "conversation.assign",
            Self::Exceed => "conversation.exceed",
            Self::Monitor => "conversation.monitor",
            Self::ReadOwn => "conversation.read.own",
            Self::ReadGroup => "conversation.read.group",
            Self::ReadSeller => "conversation.read.seller",
            Self::Presence => "presence.set",
            Self::PresenceOthers => "presence.set.others",
            Self::Desk => "desk.view",
            Self::Explain => "routing.explain",
        }
    }

    /// The scope of this name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(u16);

impl ScopeSet {
    /// No right at all.
    pub const EMPTY: Self = Self(0);
    /// Every scope: what a seller has within its own shop.
    pub const ALL: Self = Self((1 << Scope::ALL.len()) - 1);

    /// The set of these scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < scopes.len() {
            bits |= 1 << scopes[at] as u16;
            at += 1;
        }
        Self(bits)
    }

    /// Whether the scope is in it.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u16) != 0
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The set without one scope.
    #[must_use]
    pub const fn without(self, scope: Scope) -> Self {
        Self(self.0 & !(1 << scope as u16))
    }

    /// Its scopes, in the order of the documentation.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::name)).finish()
    }
}
