//! What the ways in work with: besides the database the keys, the password gate, the throttle and the known devices.
//!
//! Each way in is one function on [`Doors`]: [`super::sign_in`], [`super::setup`], [`super::invitation`],
//! [`super::refresh`]. They share how a secret is tried ([`Doors::admit`]), how a new password is taken
//! ([`Doors::take_password`]) and how a sign-in begins ([`super::new_session`]). What could wait is done outside of the
//! transaction, and the transaction looks again at what it stands on.

use super::{Caller, Ops};
use crate::clock::{Clock, Entropy};
use crate::error::{Error, Result};
use crate::identity::address::AddressKey;
use crate::identity::device::{DeviceId, Devices};
use crate::identity::password::{Passwords, Verdict};
use crate::identity::password_policy::PasswordPolicy;
use crate::identity::signing::Keys;
use crate::identity::throttle::{AccountKey, Admission, Attempt, SignInThrottle};
use crate::identity::typed_name::TypedNames;
use crate::policy::{Action, Actor, Target};
use crate::store::sign_in::Credentials;
use secrecy::{ExposeSecret, SecretString};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Borrowed from the application for one call.
#[derive(Clone, Copy)]
pub struct Doors<'a> {
    pub ops: &'a Ops,
    pub keys: &'a Keys,
    pub passwords: &'a Passwords,
    pub throttle: &'a Arc<SignInThrottle>,
    pub devices: &'a Devices,
    pub typed_names: &'a TypedNames,
    pub clock: &'a dyn Clock,
    pub entropy: &'a dyn Entropy,
}

impl Doors<'_> {
    /// Lets an attempt go on, or answers 429. The first refusal of a minute is audited, the others are counted.
    pub(super) async fn admit(&self, caller: &Caller, account: Option<AccountKey>, device: Option<DeviceId>) -> Result<Admission> {
        // A shell has no address; all of them are one.
        let address = caller.origin.address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let attempt = Attempt { address: AddressKey::of(address), account, device };
        match self.throttle.admit(attempt).await {
            Err(refused @ Error::RateLimited { .. }) => {
                let told = refused.clone();
                let noted = self.ops.db.write(caller.origin.clone(), move |tx| {
                    tx.authorize(&Actor::Anonymous, Action::SignIn, Target::System, None)?;
                    Err::<(), _>(told)
                });
                noted.await?;
                Err(refused)
            }
            outcome => outcome,
        }
    }

    /// Checks a password at the same cost whether or not there is one to check it against. `None`: it is wrong.
    pub(super) async fn check(&self, admission: Admission, password: &SecretString, stored: Option<&str>) -> Result<Checked> {
        match self.passwords.verify(password, stored).await {
            Ok(Verdict::Right { stronger }) => Ok(Checked::Right { admission, stronger }),
            Ok(Verdict::Wrong) => {
                admission.failed();
                Ok(Checked::Wrong)
            }
            Err(busy) => {
                admission.withdrawn();
                Err(busy)
            }
        }
    }

    /// Takes a new password: checks it against the rules and hashes it. `field` names it in a refusal; `context` is
    /// what everybody knows about its owner.
    pub async fn take_password(&self, field: &'static str, password: &SecretString, context: Vec<String>) -> Result<String> {
        let policy = PasswordPolicy::with_min_length(self.ops.rules().password_min_length);
        let text = password.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let context: Vec<&str> = context.iter().map(String::as_str).collect();
            policy.check(text.expose_secret(), &context)
        });
        let outcome = checked.await.map_err(|e| Error::internal(format!("checking a password: {e}")))?;
        outcome.map_err(|rule| rule.error(field))?;
        self.passwords.hash(password).await
    }

    /// The device of this user, if the call showed one that the user signed in with before.
    pub(super) fn device(&self, user: &Credentials, shown: Option<&str>) -> Option<DeviceId> {
        shown.and_then(|value| self.devices.recognise(&user.id, value, self.clock.now()))
    }
}

/// What came of checking a password.
pub(super) enum Checked {
    Wrong,
    /// Say to the admission how the rest of the attempt ended.
    Right {
        admission: Admission,
        /// To be stored: the same password at today's cost.
        stronger: Option<String>,
    },
}
