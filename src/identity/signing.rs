//! The installation's signing keys in memory: opened once at start, replaced at rotation.
//!
//! Access tokens and audit checkpoints need a key at once (Ed25519 is made in a blink); the RSA key of agent tickets
//! takes a second, so it is made after the first answer and announced to whoever waits for it.

use crate::clock::{Clock, DAY, Entropy};
use crate::cluster::AgentTrust;
use crate::error::{Error, Result};
use crate::policy::Permit;
use crate::store::keys::{self, KeyRow};
use crate::store::{Db, Origin, Tx};
use crate::token::keys::{Family, Keyring, PublicKey, SigningKey, jwks};
use crate::token::seal::Sealer;
use crate::token::ticket::TicketSigner;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// How long a replaced key still verifies, in milliseconds: longer than any token of its kind lives.
const RETIRING: i64 = 2 * DAY;

/// What signs agent tickets, and what agents are told.
#[derive(Clone)]
pub struct MachineKeys {
    pub signer: Arc<TicketSigner>,
    pub trust: AgentTrust,
}

struct Opened {
    access: Arc<SigningKey>,
    access_keyring: Arc<Keyring>,
    machine_keyring: Arc<Keyring>,
    audit: Arc<SigningKey>,
    published: String,
}

/// All keys of the installation.
pub struct Keys {
    issuer: String,
    sealer: Arc<Sealer>,
    opened: RwLock<Arc<Opened>>,
    machine: watch::Sender<Option<MachineKeys>>,
}

/// A new key as a row.
pub fn fresh(family: Family, sealer: &Sealer, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<KeyRow> {
    let key = SigningKey::generate(family)?;
    Ok(KeyRow {
        kid: key.kid().to_owned(),
        kind: family.as_str().to_owned(),
        algorithm: family.algorithm_name().to_owned(),
        active: true,
        public_jwk: key.public().to_json()?,
        sealed_private: sealer.seal(&purpose(family), key.kid(), key.pkcs8(), entropy)?,
        created_at: clock.now(),
        retire_at: None,
    })
}

fn purpose(family: Family) -> String {
    format!("signing-key:{}", family.as_str())
}

impl Keys {
    /// Opens the keys; makes those that can be made in a blink.
    pub fn open(db: &Db, issuer: String, sealer: Arc<Sealer>, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<Arc<Self>> {
        let mut rows = db.read_blocking(keys::list)?;
        for family in [Family::Access, Family::Audit] {
            if !rows.iter().any(|r| r.kind == family.as_str() && r.active) {
                let row = fresh(family, &sealer, clock, entropy)?;
                rows.push(row.clone());
                db.write_blocking(Origin::default(), move |tx| keys::insert_first(tx, &row))?;
            }
        }
        let opened = Arc::new(open_rows(&rows, &sealer)?);
        let keys = Self { issuer, sealer, opened: RwLock::new(opened), machine: watch::channel(None).0 };
        keys.announce_machine(&rows)?;
        Ok(Arc::new(keys))
    }

    /// Makes the RSA key if there is none. Takes about a second of a core: call it on a thread of its own.
    pub fn complete(&self, db: &Db, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<()> {
        if self.machine.borrow().is_some() {
            return Ok(());
        }
        let row = fresh(Family::Machine, &self.sealer, clock, entropy)?;
        db.write_blocking(Origin::default(), move |tx| keys::insert_first(tx, &row))?;
        self.reload(db)
    }

    /// Reads the rows again, after a rotation.
    pub fn reload(&self, db: &Db) -> Result<()> {
        let rows = db.read_blocking(keys::list)?;
        let opened = Arc::new(open_rows(&rows, &self.sealer)?);
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = opened;
        self.announce_machine(&rows)
    }

    /// Rotates inside a transaction. `fresh_keys` were made before it: making keys takes time.
    pub fn rotate(tx: &Tx<'_>, permit: &Permit, fresh_keys: &[KeyRow], compromised: bool) -> Result<()> {
        let retire_at = (!compromised).then(|| tx.now().plus(RETIRING));
        fresh_keys.iter().try_for_each(|key| keys::rotate(tx, permit, key, retire_at))
    }

    fn announce_machine(&self, rows: &[KeyRow]) -> Result<()> {
        let machine: Vec<&KeyRow> = rows.iter().filter(|r| r.kind == Family::Machine.as_str()).collect();
        let Some(active) = machine.iter().find(|r| r.active) else { return Ok(()) };
        let private = self.sealer.open(&purpose(Family::Machine), &active.kid, &active.sealed_private)?;
        let signer = TicketSigner::from_pkcs8_der(&private, &self.issuer)
            .map_err(|e| Error::internal(format!("the ticket key cannot be used: {e}")))?;
        let public = machine.iter().map(|r| PublicKey::from_json(Family::Machine, &r.public_jwk)).collect::<Result<Vec<_>>>()?;
        let trust = AgentTrust { jwks: jwks(&public)?, issuer: self.issuer.clone() };
        self.machine.send_replace(Some(MachineKeys { signer: Arc::new(signer), trust }));
        Ok(())
    }

    fn opened(&self) -> Arc<Opened> {
        Arc::clone(&self.opened.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The `iss` of every token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn sealer(&self) -> &Arc<Sealer> {
        &self.sealer
    }

    pub fn access_keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.opened().access_keyring)
    }

    /// What machine tokens are checked against; empty until the key is made.
    pub fn machine_keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.opened().machine_keyring)
    }

    /// What signs access tokens.
    pub fn access(&self) -> Arc<SigningKey> {
        Arc::clone(&self.opened().access)
    }

    /// What signs checkpoints of the audit chain.
    pub fn audit(&self) -> Arc<SigningKey> {
        Arc::clone(&self.opened().audit)
    }

    /// The public keys, as `/.well-known/jwks.json` serves them.
    pub fn published(&self) -> String {
        self.opened().published.clone()
    }

    /// The keys of agent tickets, as soon as there are some.
    pub fn machine(&self) -> watch::Receiver<Option<MachineKeys>> {
        self.machine.subscribe()
    }
}

fn open_rows(rows: &[KeyRow], sealer: &Sealer) -> Result<Opened> {
    let open = |family: Family| -> Result<Arc<SigningKey>> {
        let kind = family.as_str();
        let row =
            rows.iter().find(|r| r.kind == kind && r.active).ok_or_else(|| Error::internal(format!("there is no active {kind} key")))?;
        let private = sealer.open(&purpose(family), &row.kid, &row.sealed_private)?;
        SigningKey::from_pkcs8(family, private).map(Arc::new)
    };
    let public = |family: Family| -> Result<Vec<PublicKey>> {
        rows.iter().filter(|r| r.kind == family.as_str()).map(|r| PublicKey::from_json(family, &r.public_jwk)).collect()
    };
    let access_public = public(Family::Access)?;
    let mut published = access_public.clone();
    let machine_public = public(Family::Machine)?;
    published.extend(machine_public.iter().cloned());
    Ok(Opened {
        access: open(Family::Access)?,
        access_keyring: Arc::new(Keyring::new(Family::Access, &access_public)?),
        machine_keyring: Arc::new(Keyring::new(Family::Machine, &machine_public)?),
        audit: open(Family::Audit)?,
        published: jwks(&published)?,
    })
}
