//! Other configurations, each drawn from the one before: who is authorised, who is a member, limits, fitness, groups,
//! bindings, sellers that come and go. What refers to something that is gone goes with it.

use std::collections::{BTreeMap, BTreeSet};

use fenliu::directory::Directory;
use fenliu::model::Timestamp;
use toml::{Table, Value};

use crate::random::Random;
use crate::world::SETTINGS;

/// A configuration, and what was taken out of it and may come back.
#[derive(Clone, Debug)]
pub struct Draft {
    text: Table,
    gone: BTreeMap<&'static str, Vec<Value>>,
    made: usize,
}

impl Draft {
    /// What is written.
    pub fn new(text: &str) -> Self {
        Self { text: text.parse().unwrap(), gone: BTreeMap::new(), made: 0 }
    }

    /// The text.
    pub fn text(&self) -> String {
        toml::to_string(&self.text).unwrap()
    }

    /// Another one, if what is drawn is allowed.
    pub fn change(&self, random: &mut Random, now: Timestamp) -> Option<(Self, Directory)> {
        let mut other = self.clone();
        for _ in 0..1 + random.below(4) {
            other.change_one(random);
        }
        other.prune();
        let directory = Directory::from_toml(&other.text(), now).ok()?;
        Some((other, directory))
    }

    fn change_one(&mut self, random: &mut Random) {
        match random.below(16) {
            0..4 => self.authorise(random),
            4..6 => self.member(random),
            6 => self.group(random),
            7..9 => self.limit(random),
            9 => self.fitness(random),
            10 => self.come_and_go("seller", random),
            11 => self.come_and_go("sub_account", random),
            12 => self.bind(random),
            13 | 14 => self.set(random),
            _ => {
                let seller = self.seller(random);
                let role = *random.one(&["agent", "agent", "lead", "manager"]);
                if let Some(authorization) = some(list(seller, "authorization"), random) {
                    authorization["role"] = role.into();
                }
            }
        }
    }

    fn seller(&mut self, random: &mut Random) -> &mut Value {
        some(list_of(&mut self.text, "seller"), random).expect("a seller stays")
    }

    /// Somebody is authorised by a seller, or no longer: so domains merge and split.
    fn authorise(&mut self, random: &mut Random) {
        let people = list_of(&mut self.text, "sub_account").clone();
        let Some(who) = people.get(random.below(people.len())).filter(|who| who.get("employer").is_none()) else {
            return;
        };
        let who = word(who, "id").to_owned();
        let seller = self.seller(random);
        let authorizations = list(seller, "authorization");
        let before = authorizations.len();
        authorizations.retain(|authorization| word(authorization, "sub_account") != who);
        if authorizations.len() == before && word(seller, "account") != who {
            authorizations_push(seller, &who);
            if random.percent(80) {
                let group = some(list(seller, "group"), random).unwrap();
                list(group, "members").push(who.into());
            }
        }
    }

    fn member(&mut self, random: &mut Random) {
        let employed = list_of(&mut self.text, "sub_account").clone();
        let seller = self.seller(random);
        let mut people: Vec<String> =
            list(seller, "authorization").iter().map(|a| word(a, "sub_account").to_owned()).collect();
        people.push(word(seller, "account").to_owned());
        people
            .extend(employed.iter().filter(|who| who.get("employer").is_some()).map(|who| word(who, "id").to_owned()));
        let who = random.one(&people).clone();
        let tier = 1 + random.below(2) as i64;
        let members = list(some(list(seller, "group"), random).unwrap(), "members");
        let before = members.len();
        members.retain(|member| member_id(member) != who);
        if members.len() == before {
            let member = Table::from_iter([("sub_account".to_owned(), who.into()), ("tier".to_owned(), tier.into())]);
            members.insert(random.below(before + 1), Value::Table(member));
        }
    }

    fn group(&mut self, random: &mut Random) {
        self.made += 1;
        let id = format!("g{}", self.made % 3);
        let seller = self.seller(random);
        let default = word(seller, "default_group").to_owned();
        let groups = list(seller, "group");
        if groups.iter().any(|group| word(group, "id") == id) {
            // Sometimes the default group, and another becomes that.
            let keep = groups.len() == 1 || (default == id && random.percent(80));
            groups.retain(|group| word(group, "id") != id || keep);
        } else {
            let mut group = some(groups, random).unwrap().clone();
            group["id"] = id.into();
            groups.push(group);
        }
    }

    fn limit(&mut self, random: &mut Random) {
        let limit = 1 + random.below(4) as i64;
        match random.below(4) {
            0 => {
                if let Some(who) = some(list_of(&mut self.text, "sub_account"), random) {
                    who["capacity"] = limit.into();
                }
            }
            1 => set(self.seller(random), "capacity", limit.into()),
            2 => {
                if let Some(authorization) = some(list(self.seller(random), "authorization"), random) {
                    set(authorization, "capacity", limit.into());
                }
            }
            _ => {
                let group = some(list(self.seller(random), "group"), random).unwrap();
                if let Some(member) = some(list(group, "members"), random).filter(|member| member.is_table()) {
                    set(member, "capacity", limit.into());
                }
            }
        }
    }

    /// An account is no longer fit for an authorization, or fit again.
    fn fitness(&mut self, random: &mut Random) {
        let Some(account) = some(list_of(&mut self.text, "account"), random) else { return };
        let ends = |date: &str| Value::Datetime(date.parse().unwrap());
        match random.below(5) {
            0 => set(account, "certified_until", ends("2026-11-23")),
            1 => set(account, "status", "restricted".into()),
            _ => {
                set(account, "certified_until", ends("2036-12-31"));
                set(account, "status", "normal".into());
            }
        }
    }

    fn come_and_go(&mut self, what: &'static str, random: &mut Random) {
        let gone = self.gone.entry(what).or_default();
        let here = list_of(&mut self.text, what);
        if !gone.is_empty() && random.percent(60) {
            here.push(gone.swap_remove(random.below(gone.len())));
        } else if here.len() > 1 {
            gone.push(here.swap_remove(random.below(here.len())));
        }
    }

    fn bind(&mut self, random: &mut Random) {
        self.made += 1;
        let id = format!("r{}", self.made);
        let seller = self.seller(random);
        let groups: Vec<String> = list(seller, "group").iter().map(|group| word(group, "id").to_owned()).collect();
        let people: Vec<String> =
            list(seller, "authorization").iter().map(|a| word(a, "sub_account").to_owned()).collect();
        let bindings = list(seller, "binding");
        if bindings.len() > 2 && random.percent(60) {
            bindings.remove(random.below(bindings.len()));
            bindings.reverse();
            return;
        }
        let to = match random.below(5) {
            0..2 => format!("group = \"{}\"", random.one(&groups)),
            2..4 if !people.is_empty() => format!("sub_account = \"{}\"", random.one(&people)),
            _ => "leave_message = \"later\"".to_owned(),
        };
        let source = random.below(3);
        let text = format!("id = \"{id}\"\nwhen = {{ source = \"x{source}\" }}\nto = {{ {to} }}\npriority = 1\n");
        let mut binding: Table = text.parse().unwrap();
        if !to.starts_with("leave") {
            binding.insert("otherwise".to_owned(), (*random.one(&["wait", "next"])).into());
        }
        bindings.insert(random.below(bindings.len() + 1), Value::Table(binding));
    }

    fn set(&mut self, random: &mut Random) {
        let seller = self.seller(random);
        let (name, values) = random.one(SETTINGS);
        let to = format!("g{}", random.below(3));
        let group = some(list(seller, "group"), random).unwrap();
        let strategies = ["least_loaded", "least_active", "longest_idle", "round_robin", "weighted"];
        match random.below(6) {
            0 => set(group, "strategy", (*random.one(&strategies)).into()),
            1 => {
                let step: Table = format!("after = \"{}s\"\nto = \"{to}\"", random.one(&[0, 5, 20])).parse().unwrap();
                set(group, "overflow", Value::Array(vec![Value::Table(step)]));
            }
            2 => drop(group.as_table_mut().unwrap().remove("overflow")),
            3 => drop(group.as_table_mut().unwrap().remove(*name)),
            _ => {
                let value: Table = format!("value = {}", random.one(values)).parse().unwrap();
                set(group, name, value["value"].clone());
            }
        }
    }

    /// Takes out what refers to something that is not there.
    fn prune(&mut self) {
        let people = list_of(&mut self.text, "sub_account");
        let ids: BTreeSet<String> = people.iter().map(|who| word(who, "id").to_owned()).collect();
        people.retain(|who| who.get("employer").is_none_or(|employer| ids.contains(employer.as_str().unwrap())));
        let people = people.clone();
        let mut taken = BTreeSet::new();
        for seller in list_of(&mut self.text, "seller") {
            let mut able = BTreeSet::new();
            list(seller, "authorization").retain(|authorization| {
                let who = word(authorization, "sub_account");
                let known = people.iter().find(|known| word(known, "id") == who);
                let may = known.is_some_and(|known| word(known, "kind") == "certified" || taken.insert(who.to_owned()));
                may && able.insert(who.to_owned())
            });
            let employed =
                people.iter().filter(|who| who.get("employer").is_some_and(|by| able.contains(by.as_str().unwrap())));
            let employed: Vec<String> = employed.map(|who| word(who, "id").to_owned()).collect();
            able.extend(employed);
            able.insert(word(seller, "account").to_owned());
            prune_seller(seller, &able);
        }
    }
}

fn prune_seller(seller: &mut Value, able: &BTreeSet<String>) {
    let groups: BTreeSet<String> = list(seller, "group").iter().map(|group| word(group, "id").to_owned()).collect();
    for group in list(seller, "group") {
        let own = word(group, "id").to_owned();
        let mut seen = BTreeSet::new();
        list(group, "members").retain(|who| able.contains(member_id(who)) && seen.insert(member_id(who).to_owned()));
        list(group, "overflow").retain(|step| word(step, "to") != own && groups.contains(word(step, "to")));
    }
    if !groups.contains(word(seller, "default_group")) {
        set(seller, "default_group", groups.first().unwrap().as_str().into());
    }
    list(seller, "binding").retain(|binding| {
        let to = &binding["to"];
        let group = [to.get("group"), binding.get("group")].into_iter().flatten();
        let agent = to.get("sub_account");
        group.into_iter().all(|group| groups.contains(group.as_str().unwrap()))
            && agent.is_none_or(|agent| able.contains(agent.as_str().unwrap()))
    });
}

fn authorizations_push(seller: &mut Value, who: &str) {
    let text = format!(
        "sub_account = \"{who}\"\nrole = \"agent\"\nscopes = [\"conversation.claim\", \"conversation.assign\", \
         \"conversation.exceed\", \"conversation.monitor\", \"presence.set.others\", \"desk.view\", \
         \"conversation.read.seller\"]\n"
    );
    list(seller, "authorization").push(Value::Table(text.parse().unwrap()));
}

fn list_of<'t>(table: &'t mut Table, name: &str) -> &'t mut Vec<Value> {
    table.entry(name).or_insert_with(|| Value::Array(Vec::new())).as_array_mut().unwrap()
}

fn list<'v>(value: &'v mut Value, name: &str) -> &'v mut Vec<Value> {
    list_of(value.as_table_mut().unwrap(), name)
}

fn set(value: &mut Value, name: &str, to: Value) {
    value.as_table_mut().unwrap().insert(name.to_owned(), to);
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

fn member_id(member: &Value) -> &str {
    member.as_str().unwrap_or_else(|| word(member, "sub_account"))
}

fn some<'v>(values: &'v mut [Value], random: &mut Random) -> Option<&'v mut Value> {
    let at = random.below(values.len());
    values.get_mut(at)
}
