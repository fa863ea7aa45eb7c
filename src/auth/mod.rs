//! Who a token speaks for: its signature, its claims, and whether its key may say so.
//! What a caller may do is `policy`'s; whether an account exists is the directory's.

mod claims;
mod held;
mod keys;
mod provider;
mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod token;

pub use claims::{Claims, Identity, Rejected};
pub use held::{Keys, Source};
pub use keys::{KeysError, MintError};
pub use settings::{Algorithm, Key, Role, SECRET_BYTES_MIN, Secret, Settings};

/// The name of the server's own key.
pub const OWN_KEY: &str = "fenliu";
