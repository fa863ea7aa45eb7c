//! The shops that most tests visit.

/// Two sellers that share an outsourcer. Tea has a group that is given conversations, one that is asked, a lead's and
/// bindings to each; Tin has one group and its main account behind it.
pub const ROUTING: &str = r#"
[[role]]
id = "trainee"
scopes = ["conversation.receive", "conversation.send", "conversation.read.own", "presence.set"]
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
status = "normal"
certified_until = 2099-12-31
[[account]]
id = "oth"
platform = "douyin"
kind = "certified_enterprise"
status = "normal"
certified_until = 2099-12-31
[[account]]
id = "helpco"
platform = "douyin"
kind = "certified_enterprise"
status = "normal"
certified_until = 2099-12-31
[[sub_account]]
id = "mei"
name = "Mei"
kind = "staff"
capacity = 2
[[sub_account]]
id = "bo"
name = "Bo"
kind = "staff"
capacity = 2
[[sub_account]]
id = "li"
name = "Li"
kind = "staff"
capacity = 3
[[sub_account]]
id = "ma"
name = "Ma"
kind = "staff"
capacity = 3
[[sub_account]]
id = "tom"
name = "Tom"
kind = "staff"
capacity = 3
[[sub_account]]
id = "tra"
name = "Tra"
kind = "staff"
capacity = 3
[[sub_account]]
id = "helpco"
name = "Help Co"
kind = "certified"
capacity = 4
[[seller]]
id = "tea"
name = "Tea"
account = "lin"
capacity = 3
shop = "shop-1"
licence_name = "Tea"
entries = [{ id = "live-1", kind = "live" }]
default_group = "presale"
main_account_fallback = false
  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"
  [[seller.authorization]]
  sub_account = "bo"
  role = "agent"
  [[seller.authorization]]
  sub_account = "li"
  role = "lead"
  [[seller.authorization]]
  sub_account = "ma"
  role = "manager"
  [[seller.authorization]]
  sub_account = "tra"
  role = "trainee"
  [[seller.authorization]]
  sub_account = "helpco"
  role = "agent"
  [[seller.group]]
  id = "presale"
  name = "Pre"
  members = ["mei", { sub_account = "bo", tier = 2 }]
  offline_text = "we are closed"
  [[seller.group]]
  id = "leads"
  members = ["li"]
  [[seller.group]]
  id = "asks"
  members = ["tra", "helpco"]
  assignment = "offer"
  offer_timeout = "2s"
  welcome_text = "welcome"
  [[seller.binding]]
  id = "to-asks"
  when = { source = "asks" }
  to = { group = "asks" }
  [[seller.binding]]
  id = "to-leads"
  when = { attr.level = ["gold"] }
  to = { group = "leads" }
  priority = 5
  [[seller.binding]]
  id = "leave"
  when = { source = "leave" }
  to = { leave_message = "write us" }
[[seller]]
id = "tin"
name = "Tin"
account = "oth"
capacity = 3
shop = "shop-2"
licence_name = "Tin"
default_group = "g"
main_account_fallback = true
  [[seller.authorization]]
  sub_account = "tom"
  role = "agent"
  [[seller.authorization]]
  sub_account = "helpco"
  role = "agent"
  [[seller.group]]
  id = "g"
  members = ["tom", "helpco"]
"#;
