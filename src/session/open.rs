//! What a peer asks: before its session is open, only to open it; then anything, in the order received.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::wire::Wire;
use super::{Opened, Session, measure};
use crate::auth::Identity;
use crate::delivery::{Client, Peer, ReplyTo};
use crate::directory::{Group, Seller};
use crate::dispatch::Seen;
use crate::model::{BuyerKey, Caller};
use crate::policy::{Method, Scope};
use crate::protocol::{self, Call, Class, Faulty, Incoming, Open, Request, RpcError};
use crate::routing::Profile;

impl Session {
    /// A text frame: a request, or a batch of them.
    pub(super) async fn receive<S: AsyncRead + AsyncWrite + Unpin>(&mut self, text: &str, wire: &mut Wire<S>) {
        let limits = self.site.settings.protocol;
        let since = Moment::now();
        match protocol::parse(text, &limits) {
            Incoming::One(request) => {
                let answered = request.as_ref().map_or(true, |request| request.id.is_some());
                let slot = answered.then(|| self.slots.one());
                self.request(request, slot, since, wire).await;
            }
            Incoming::Batch(requests) => {
                let answered = |request: &Result<Request<'_>, Faulty<'_>>| {
                    request.as_ref().map_or(true, |request| request.id.is_some())
                };
                let count = requests.iter().filter(|request| answered(request)).count();
                let mut slots = self.slots.batch(count).into_iter();
                for request in requests {
                    let slot = if answered(&request) { slots.next() } else { None };
                    self.request(request, slot, since, wire).await;
                }
            }
        }
    }

    async fn request<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        request: Result<Request<'_>, Faulty<'_>>,
        slot: Option<u32>,
        since: Moment,
        wire: &mut Wire<S>,
    ) {
        let id = match &request {
            Ok(request) => request.id,
            Err(faulty) => faulty.id,
        };
        let method = request.as_ref().ok().and_then(|request| Method::parse(&request.method));
        let result = self.judge(request, slot, since, wire).await;
        if let (Err(error), Some(slot)) = (result, slot) {
            let method = method.map_or("unknown", Method::name);
            self.site.dispatch.metrics.answered(method, error.kind().name(), since.elapsed());
            self.answer(slot, protocol::error_reply(id, &error));
        }
    }

    async fn judge<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        request: Result<Request<'_>, Faulty<'_>>,
        slot: Option<u32>,
        since: Moment,
        wire: &mut Wire<S>,
    ) -> Result<(), RpcError> {
        if let Err(wait) = self.rate.admit(Instant::now()) {
            self.site.dispatch.metrics.limited("requests_per_second");
            if self.rate.is_hopeless() {
                self.end(4429, "too many requests");
            }
            return Err(limited(wait));
        }
        let request = request.map_err(|faulty| faulty.error)?;
        let method = Method::parse(&request.method);
        let before = self.opened.is_none();
        if before && !matches!(method, Some(Method::SessionOpen | Method::RpcDiscover)) {
            return Err(RpcError::unauthenticated("the first request is session.open"));
        }
        let method = method.ok_or_else(RpcError::method_not_found)?;
        tracing::trace!(session = %self.id, method = method.name(), "a request");
        let id = request.id;
        let call = request.call(method, &self.site.settings.protocol)?;
        self.site.dispatch.metrics.parse.observe(since.elapsed());
        let to = id.zip(slot).map(|(id, slot)| self.reply_to(id, slot, method, since));
        self.take(method, call, to, wire).await
    }

    fn reply_to(&self, id: &RawValue, slot: u32, method: Method, since: Moment) -> ReplyTo {
        let class = self.opened.as_ref().map_or(Class::Buyer, |opened| opened.peer.class());
        ReplyTo { mailbox: Arc::clone(&self.mailbox), slot, id: id.to_owned(), method, class, since }
    }

    async fn take<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        method: Method,
        call: Call,
        to: Option<ReplyTo>,
        wire: &mut Wire<S>,
    ) -> Result<(), RpcError> {
        match call {
            Call::Open(open) => return Box::pin(self.open(open, to)).await,
            Call::Discover => self.reply(to, |to| protocol::raw(&to.id, protocol::document())),
            Call::Ping => {
                let now = self.site.dispatch.clock.now();
                self.reply(to, |to| protocol::pong(&to.id, now));
            }
            Call::Bye => {
                self.reply(to, |to| protocol::done(&to.id));
                self.end(1000, "closed as asked");
            }
            Call::Refresh { token } => self.refresh(&token, to)?,
            call => {
                let Some(opened) = &self.opened else { return Err(RpcError::unauthenticated("no session is open")) };
                let (peer, profile) = (Arc::clone(&opened.peer), Arc::clone(&opened.profile));
                let site = Arc::clone(&self.site);
                // It has its room only while it lasts: a silent session is a third as large without it.
                let call = Box::pin(site.dispatch.call(&peer, &profile, method, call, to));
                self.meanwhile(wire, call).await;
            }
        }
        Ok(())
    }

    fn reply(&self, to: Option<ReplyTo>, text: impl FnOnce(&ReplyTo) -> tokio_tungstenite::tungstenite::Utf8Bytes) {
        if let Some(to) = to {
            to.answer(&self.site.dispatch.metrics, "ok", text(&to));
        }
    }

    fn refresh(&mut self, token: &str, to: Option<ReplyTo>) -> Result<(), RpcError> {
        let identity = self.verify(token)?;
        let Some(opened) = &self.opened else { return Err(RpcError::unauthenticated("no session is open")) };
        if identity.caller != opened.peer.caller {
            return Err(RpcError::unauthenticated("expected a token of the same sub and role"));
        }
        self.timers.opened(identity.expires_at, self.site.dispatch.clock.now());
        self.reply(to, |to| protocol::refreshed(&to.id, identity.expires_at));
        Ok(())
    }

    fn verify(&self, token: &str) -> Result<Identity, RpcError> {
        self.site.identify(token).map_err(|why| {
            tracing::debug!(session = %self.id, ip = %self.ip, why, "a token is refused");
            RpcError::unauthenticated(why)
        })
    }

    async fn open(&mut self, open: Open, to: Option<ReplyTo>) -> Result<(), RpcError> {
        if self.opened.is_some() {
            return Err(RpcError::already_open());
        }
        let stay = self.site.lifecycle.enter().map_err(|_| RpcError::unavailable(protocol::Undone::NotDone))?;
        let (identity, token) = self.who(&open)?;
        let now = self.site.dispatch.clock.now();
        let peer = Arc::new(Peer {
            session: self.id,
            caller: identity.caller.clone(),
            mailbox: Arc::clone(&self.mailbox),
            ip: Some(self.ip),
            since: now,
            client: open.client.map(|client| Client { name: client.name.into(), version: client.version.into() }),
        });
        let profile = Arc::new(profile(&identity));
        let shown = self.identity(&identity);
        let (session, settings) = (self.id, self.site.settings);
        let made = move |to: &ReplyTo, seen: Seen| {
            let opened = protocol::Opened {
                session,
                token,
                identity: shown,
                standing: seen.standing,
                conversations: seen.conversations,
                now,
                heartbeat_s: settings.heartbeat.as_secs(),
                limits: settings.told(),
            };
            protocol::opened(&to.id, to.class, &opened)
        };
        let to = to.map(|to| ReplyTo { class: peer.class(), ..to });
        if let Some(to) = &to {
            self.slots.opens(to.slot);
        }
        self.site.dispatch.open(&peer, open.status, to, made).await?;
        measure::opened(&self.site.dispatch.metrics, &peer);
        self.opened = Some(Opened { peer, profile, _stay: stay });
        self.timers.opened(identity.expires_at, self.site.dispatch.clock.now());
        Ok(())
    }

    /// Who the peer says it is, and the token it is given if it had none.
    fn who(&self, open: &Open) -> Result<(Identity, Option<String>), RpcError> {
        if let Some(token) = &open.token {
            return Ok((self.verify(token)?, None));
        }
        if let Some(visitor) = &open.visitor {
            if !self.site.settings.visitors {
                return Err(RpcError::unauthenticated("anonymous visitors are not let in here"));
            }
            let directory = self.site.dispatch.table.directory();
            let seller = directory.entries.get(visitor.shop.as_str()).ok_or_else(RpcError::not_found)?;
            self.site.visitors.admit(self.ip, Instant::now()).map_err(|wait| {
                self.site.dispatch.metrics.limited("visitors");
                limited(wait)
            })?;
            let now = self.site.dispatch.clock.now();
            let visitor = self.site.keys.visitor(seller, now);
            let (token, identity) = visitor.map_err(|_| RpcError::unauthenticated("no visitor can be let in now"))?;
            return Ok((identity, Some(token)));
        }
        let given = self.given.clone().ok_or_else(|| RpcError::unauthenticated("expected a token"))?;
        Ok((given, None))
    }

    fn identity(&self, identity: &Identity) -> protocol::Identity {
        let directory = self.site.dispatch.table.directory();
        let now = self.site.dispatch.clock.now();
        let named = |id: &str| identity.name.as_deref().unwrap_or(id).to_owned();
        let other = |role, id: &str| protocol::Identity {
            role,
            id: id.to_owned(),
            name: named(id),
            capacity: None,
            sellers: None,
        };
        match &identity.caller {
            Caller::Buyer { key, .. } => other("buyer", &key.sub),
            Caller::Operator { sub } => other("operator", sub),
            Caller::Staff { account, sellers } => {
                let allowed =
                    |seller: &crate::model::SellerId| sellers.as_ref().is_none_or(|sellers| sellers.contains(seller));
                let serving = directory.sellers_of(account).filter(|seller| allowed(&seller.id)).filter_map(|seller| {
                    let authorization = seller.agents.get(account)?;
                    let member = |group: &&Group| group.members.iter().any(|member| member.account == *account);
                    let scopes = authorization.scopes_at(now);
                    let hands_on = scopes.has(Scope::Transfer) || scopes.has(Scope::Assign);
                    Some(protocol::Membership {
                        seller: seller.id.to_string(),
                        name: seller.name.to_string(),
                        role: authorization.role.to_string(),
                        scopes: scopes.iter().map(Scope::name).collect(),
                        groups: seller.groups.iter().filter(member).map(|group| group.id.to_string()).collect(),
                        in_force: authorization.in_force(now),
                        transfer_to: hands_on.then(|| targets(seller)),
                    })
                });
                let id = account.as_str();
                let name = directory.name_of(account).map_or_else(|| named(id), ToString::to_string);
                let sellers = Some(serving.collect());
                let own = directory.capacity_of(account);
                let posts = directory.sellers_of(account).filter_map(|seller| seller.agents.get(account));
                let over_all = posts.map(|given| given.capacity.unwrap_or(own)).fold(0, u32::saturating_add);
                let capacity = Some(own.min(over_all));
                protocol::Identity { role: "staff", id: id.to_owned(), name, capacity, sellers }
            }
        }
    }
}

fn limited(wait: Duration) -> RpcError {
    let wait = wait.max(Duration::from_millis(1));
    RpcError::rate_limited(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

/// The groups of a seller.
fn targets(seller: &Seller) -> protocol::Targets {
    let group = |group: &Group| protocol::TargetGroup { group: group.id.to_string(), name: group.name.to_string() };
    protocol::Targets { groups: seller.groups.iter().map(group).collect() }
}

/// A buyer as its token describes it; whoever else calls has none.
fn profile(identity: &Identity) -> Profile {
    let key = match &identity.caller {
        Caller::Buyer { key, .. } => key.clone(),
        Caller::Staff { account, .. } => BuyerKey { within: None, sub: account.as_str().into() },
        Caller::Operator { sub } => BuyerKey { within: None, sub: Arc::clone(sub) },
    };
    Profile { key, name: identity.name.clone(), attributes: identity.attributes.clone() }
}
