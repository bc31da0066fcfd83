//! Plain types and pure rules of the product: no IO, no clock, no SQL.

pub mod id;
