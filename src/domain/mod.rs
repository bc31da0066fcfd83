//! Plain types and pure rules of the product: no IO, no clock, no SQL.

pub mod agent;
pub mod app;
pub mod app_target;
pub mod container;
pub mod egress;
pub mod email;
pub mod field;
pub mod file;
pub mod git;
pub mod group;
pub mod hex;
pub mod home_path;
pub mod id;
pub mod names;
pub mod pool;
pub mod quantity;
pub mod quota;
pub mod size;
pub mod sizing;
pub mod spelling;
pub mod template;
pub mod text;
pub mod user;
pub mod workspace;
