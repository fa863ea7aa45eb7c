//! What the settings look like, as data: read off the types once, and used to check, to name variables, to print.
//! Values are not here.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::settings::Settings;

/// What may stand somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// Keys with their own shapes.
    Table(Vec<Field>),
    /// Any number of the same.
    List(Box<Shape>),
    /// `true` or `false`.
    Truth,
    /// A number from the first to the second.
    Whole(i64, i64),
    /// A string.
    Text {
        /// The only ones, if there are few.
        choices: Vec<String>,
        /// What is expected, in words.
        expected: Option<String>,
    },
}

/// A key of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// Its name.
    pub key: String,
    /// What it is for: the first sentence of its documentation.
    pub about: String,
    /// What may stand there.
    pub shape: Shape,
    /// Whether the table is none without it.
    pub needed: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    /// What it is if nobody says anything.
    pub default: Option<Value>,
}

impl Shape {
    /// That of the whole file.
    pub(super) fn of_settings() -> Self {
        Self::read(schema())
    }

    /// The fields of a table; nothing else has any.
    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Self::Table(fields) => fields,
            _ => &[],
        }
    }

    /// The field of a key.
    pub(super) fn field(&self, key: &str) -> Option<&Field> {
        self.fields().iter().find(|field| field.key == key)
    }

    /// Whether it is read as one value: all but tables, whose keys are read by themselves.
    pub(super) fn is_leaf(&self) -> bool {
        !matches!(self, Self::Table(_))
    }

    /// What is expected there, in words.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Table(_) => "a table".into(),
            Self::List(of) if !of.is_leaf() => "a list of tables".into(),
            Self::List(_) => "a list of strings".into(),
            Self::Truth => "true or false".into(),
            Self::Whole(0, most) => format!("a whole number from 0 (no limit) to {most}"),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Text { choices, expected: None } if choices.is_empty() => "a string".into(),
            Self::Text { expected: Some(expected), .. } => expected.clone(),
            Self::Text { choices, .. } => {
                let choices: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
                format!("one of {}", choices.join(", "))
            }
        }
    }

    fn read(schema: &Value) -> Self {
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let number = |key: &str, default: i64| schema.get(key).and_then(Value::as_i64).unwrap_or(default);
        match text("type") {
            Some("object") => Self::Table(fields(schema)),
            Some("array") => Self::List(Box::new(Self::read(schema.get("items").unwrap_or(&Value::Null)))),
            Some("boolean") => Self::Truth,
            Some("integer") => Self::Whole(number("minimum", i64::MIN), number("maximum", i64::MAX)),
            _ => Self::Text { choices: choices(schema), expected: text(EXPECTED).map(str::to_owned) },
        }
    }
}

/// The keyword of ours that says in words what is expected.
const EXPECTED: &str = "x-expected";

fn fields(schema: &Value) -> Vec<Field> {
    let needed = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.into_iter().flatten();
    let field = |(key, schema): (&String, &Value)| Field {
        key: key.clone(),
        about: schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
        shape: Shape::read(schema),
        needed: needed.is_some_and(|needed| needed.iter().any(|name| name == key)),
        secret: schema.get("writeOnly") == Some(&Value::Bool(true)),
        default: schema.get("default").filter(|default| !default.is_null()).cloned(),
    };
    properties.map(field).collect()
}

fn choices(schema: &Value) -> Vec<String> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let one = |of: &Value| of.get("const").and_then(Value::as_str).map(str::to_owned);
    let several = |of: &Value| {
        let all = of.get("enum").and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|choice| choice.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut choices = several(schema);
    for of in list("oneOf") {
        choices.extend(one(of));
        choices.extend(several(of));
    }
    choices
}

/// The JSON Schema of the settings, for editors.
pub fn schema() -> &'static Value {
    static SCHEMA: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| {
        let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<Settings>().to_value();
        without_null(&mut schema);
        schema
    });
    &SCHEMA
}

/// TOML has no null: what may be left out is just that.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            unwrap_option(members);
            members.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

fn unwrap_option(members: &mut Map<String, Value>) {
    let is_null = |value: &Value| value == "null" || value.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|kind| !is_null(kind));
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(ways)) = members.get_mut("anyOf") {
        ways.retain(|way| !is_null(way));
        if let [Value::Object(only)] = ways.as_slice() {
            let only = only.clone();
            members.remove("anyOf");
            for (key, value) in only {
                members.entry(key).or_insert(value);
            }
        }
    }
    if members.get("default").is_some_and(Value::is_null) {
        members.remove("default");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_of_a_known_shape() {
        fn look(path: &str, shape: &Shape) {
            for field in shape.fields() {
                let path = format!("{path}.{}", field.key);
                assert!(!field.about.is_empty(), "{path} says nothing of itself");
                look(&path, &field.shape);
                if let Shape::List(of) = &field.shape {
                    look(&path, of);
                }
                if let Shape::Whole(least, most) = field.shape {
                    assert!(least >= 0 && most < i64::MAX, "{path} has no range");
                }
            }
        }

        let shape = Shape::of_settings();
        assert_eq!(shape.fields().len(), 6);
        look("", &shape);
    }

    #[test]
    fn a_secret_is_known_to_be_one() {
        let shape = Shape::of_settings();
        let auth = &shape.field("auth").unwrap().shape;

        assert!(auth.field("hs256_secret").unwrap().secret);
        assert!(!auth.field("hs256_secret_file").unwrap().secret);
        assert!(!schema().to_string().contains("null"));
    }
}
