//! Small routing configurations, each from a seed: with few features or with many.

use std::fmt::Write as _;
use std::sync::Arc;

use fenliu::directory::Directory;
use fenliu::model::{AccountId, SellerId, Timestamp};

use crate::random::Random;

/// 2026-11-24 23:50 in Shanghai: ten minutes before a certification of that day ends.
pub const START: Timestamp = Timestamp::from_micros(1_795_535_400_000_000);
/// How many buyers there are.
pub const BUYERS: usize = 12;

/// A configuration and who is in it.
pub struct World {
    pub text: String,
    pub directory: Arc<Directory>,
    pub sellers: Vec<SellerId>,
    pub accounts: Vec<AccountId>,
}

impl World {
    /// The world of a seed.
    pub fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let text = Draft::new(&mut random).write(&mut random);
        Self::parse(text)
    }

    /// The world of a configuration.
    pub fn parse(text: String) -> Self {
        let directory = Directory::from_toml(&text, START).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        let sellers = directory.sellers.keys().cloned().collect();
        let mut accounts: Vec<_> = directory.domains.iter().flat_map(|domain| domain.agents.clone()).collect();
        accounts.sort();
        Self { text, directory: Arc::new(directory), sellers, accounts }
    }
}

/// What a world is made of, before it is written.
struct Draft {
    sellers: usize,
    /// Certified sub-accounts, and the sellers they serve.
    certified: Vec<Vec<usize>>,
    /// Staff, and whose they are.
    staff: Vec<usize>,
    /// Whether the first certified one employs somebody.
    employs: bool,
    /// How many settings in a hundred are not the default.
    richness: u64,
}

impl Draft {
    fn new(random: &mut Random) -> Self {
        let sellers = 1 + random.below(3);
        let certified = (0..random.below(3)).map(|_| (0..sellers).filter(|_| random.percent(70)).collect()).collect();
        let staff = (0..1 + random.below(3)).map(|_| random.below(sellers)).collect();
        let richness = *random.one(&[0, 8, 25, 50]);
        Self { sellers, certified, staff, employs: random.percent(30), richness }
    }

    fn write(&self, random: &mut Random) -> String {
        let mut text = String::new();
        for seller in 0..self.sellers {
            account(&mut text, &format!("m{seller}"), "2036-12-31");
        }
        for (at, _) in self.certified.iter().enumerate() {
            let ends = random.percent(self.richness);
            account(&mut text, &format!("c{at}"), if ends { "2026-11-24" } else { "2036-12-31" });
            sub_account(&mut text, &format!("c{at}"), "certified", random, "");
        }
        for (at, _) in self.staff.iter().enumerate() {
            sub_account(&mut text, &format!("a{at}"), "staff", random, "");
        }
        if self.employs && !self.certified.is_empty() {
            sub_account(&mut text, "e0", "staff", random, "employer = \"c0\"\n");
        }
        // A main account that is somebody's sub-account as well.
        if self.sellers > 1 && random.percent(20) {
            sub_account(&mut text, "m0", "certified", random, "");
        }
        let serves_too = text.contains("[[sub_account]]\nid = \"m0\"");
        for seller in 0..self.sellers {
            self.write_seller(&mut text, seller, serves_too && seller == 1, random);
        }
        text
    }

    fn write_seller(&self, text: &mut String, at: usize, m0_serves: bool, random: &mut Random) {
        let mut people: Vec<String> = Vec::new();
        people.extend(self.staff.iter().enumerate().filter(|(_, of)| **of == at).map(|(who, _)| format!("a{who}")));
        people.extend(
            (0..self.certified.len()).filter(|who| self.certified[*who].contains(&at)).map(|who| format!("c{who}")),
        );
        people.extend(m0_serves.then(|| "m0".to_owned()));
        let groups = 1 + random.below(3);
        let _ = write!(
            text,
            "[[seller]]\nid = \"s{at}\"\nname = \"S{at}\"\nlicence_name = \"S{at}\"\naccount = \"m{at}\"\nshop = \"shop{at}\"\n\
             capacity = {}\ndefault_group = \"g{}\"\nmain_account_fallback = {}\n",
            1 + random.below(2),
            random.below(groups),
            !random.percent(self.richness),
        );
        for who in &people {
            let scopes = "scopes = [\"conversation.claim\", \"conversation.assign\", \"conversation.exceed\", \
                          \"conversation.monitor\", \"presence.set.others\", \"desk.view\", \"conversation.read.seller\"]";
            let role = if random.percent(self.richness / 8) { "manager" } else { "agent" };
            let _ = write!(text, "[[seller.authorization]]\nsub_account = \"{who}\"\nrole = \"{role}\"\n{scopes}\n");
            if random.percent(self.richness) {
                let _ = writeln!(text, "capacity = {}", 1 + random.below(2));
            }
        }
        let employed = self.employs && people.iter().any(|who| who == "c0");
        for group in 0..groups {
            self.write_group(text, at, group, groups, &people, employed, random);
        }
        for binding in 0..random.below(5) {
            self.write_binding(text, at, binding, groups, &people, random);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "where a group stands, and who may be in it")]
    fn write_group(
        &self,
        text: &mut String,
        seller: usize,
        at: usize,
        groups: usize,
        people: &[String],
        employed: bool,
        random: &mut Random,
    ) {
        let mut members: Vec<String> = people.to_vec();
        members.extend(employed.then(|| "e0".to_owned()));
        members.extend(random.percent(self.richness / 2).then(|| format!("m{seller}")));
        members.retain(|_| random.percent(65));
        members.dedup();
        let members: Vec<String> = members
            .iter()
            .map(|who| {
                let mut member = format!("{{ sub_account = \"{who}\", tier = {}", 1 + random.below(2));
                let _ = write!(member, ", weight = {}", 1 + random.below(3));
                if random.percent(self.richness) {
                    let _ = write!(member, ", capacity = {}", 1 + random.below(2));
                }
                member + " }"
            })
            .collect();
        let _ = write!(text, "[[seller.group]]\nid = \"g{at}\"\nmembers = [{}]\n", members.join(", "));
        let strategies = ["least_loaded", "least_active", "longest_idle", "round_robin", "weighted"];
        let _ = writeln!(text, "strategy = \"{}\"", random.one(&strategies));
        let others: Vec<usize> = (0..groups).filter(|to| *to != at && random.percent(self.richness)).collect();
        let steps: Vec<String> =
            others.iter().map(|to| format!("{{ after = \"{}s\", to = \"g{to}\" }}", random.one(&[0, 5, 20]))).collect();
        if !steps.is_empty() {
            let _ = writeln!(text, "overflow = [{}]", steps.join(", "));
        }
        for (name, values) in SETTINGS {
            if random.percent(self.richness) {
                let _ = writeln!(text, "{name} = {}", random.one(values));
            }
        }
    }

    fn write_binding(
        &self,
        text: &mut String,
        seller: usize,
        at: usize,
        groups: usize,
        people: &[String],
        random: &mut Random,
    ) {
        let to = match random.below(5) {
            0 | 1 => format!("group = \"g{}\"", random.below(groups)),
            2 | 3 if !people.is_empty() => format!("sub_account = \"{}\"", random.one(people)),
            2 | 3 => format!("sub_account = \"m{seller}\""),
            _ => "leave_message = \"later\"".to_owned(),
        };
        let _ = write!(
            text,
            "[[seller.binding]]\nid = \"b{at}\"\nwhen = {{ source = \"x{}\" }}\nto = {{ {to} }}\n",
            random.below(3)
        );
        if !to.starts_with("leave") && random.percent(50) {
            let _ = writeln!(text, "otherwise = \"{}\"", random.one(&["wait", "next"]));
        }
        let _ = writeln!(text, "priority = {}", random.below(4));
        if to.starts_with("sub_account") && random.percent(50) {
            let _ = writeln!(text, "group = \"g{}\"", random.below(groups));
        }
    }
}

/// Settings of a group, and values for each.
pub const SETTINGS: &[(&str, &[&str])] = &[
    ("recent_agent", &["\"72h\"", "\"30s\""]),
    ("recent_agent_even_if_away", &["true"]),
    ("recent_agent_when_full", &["\"exceed\"", "\"7s\"", "\"skip\""]),
    ("assignment", &["\"offer\""]),
    ("offer_timeout", &["\"6s\"", "\"20s\""]),
    ("missed_offers", &["1", "2"]),
    ("queue_limit", &["1", "2", "3"]),
    ("max_wait", &["\"15s\"", "\"60s\""]),
    ("abandon_after", &["\"4s\"", "\"30s\""]),
    ("reassign_unanswered", &["\"9s\"", "\"40s\""]),
    ("close_idle", &["\"60s\"", "\"5m\""]),
    ("wrap_up", &["\"5s\"", "\"12s\""]),
    ("reopen_within", &["\"20s\""]),
    ("when_agent_lost", &["\"keep\""]),
    ("when_all_away", &["\"assign\"", "\"leave_message\""]),
    ("pickup_left_messages", &["false"]),
    ("left_message_age", &["\"25s\""]),
    ("priority_step", &["\"strict\"", "\"3s\""]),
    ("spacing", &["\"3s\"", "\"10s\""]),
    ("welcome_text", &["\"hello\""]),
];

fn account(text: &mut String, id: &str, until: &str) {
    let _ = write!(
        text,
        "[[account]]\nid = \"{id}\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\ncertified_until = {until}\n"
    );
}

fn sub_account(text: &mut String, id: &str, kind: &str, random: &mut Random, more: &str) {
    let capacity = 1 + random.below(3);
    let _ = write!(
        text,
        "[[sub_account]]\nid = \"{id}\"\nname = \"{id}\"\nkind = \"{kind}\"\ncapacity = {capacity}\n{more}"
    );
}
