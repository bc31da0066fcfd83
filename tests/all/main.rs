//! The one integration-test binary: each module tests the real application or one of its seams from outside.

// A test that meets something unexpected should stop there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Tests open databases and read the environment as somebody outside of the program does.
#![allow(clippy::disallowed_methods, clippy::zombie_processes)]

mod agent_container;
mod api_activity;
mod api_apps;
mod api_audit;
mod api_credentials;
mod api_described;
mod api_egress;
mod api_figures;
mod api_files;
mod api_git_access;
mod api_groups;
mod api_machine;
mod api_members_import;
mod api_metrics;
mod api_offboard;
mod api_own_account;
mod api_refresh;
mod api_settings;
mod api_setup;
mod api_sign_in;
mod api_terminal;
mod api_tokens;
mod api_transfer;
mod api_usage;
mod api_user_imports;
mod api_user_sessions;
mod api_user_terms;
mod api_users;
mod api_workspaces;
mod app_browser;
mod audit_of_routes;
mod audit_retention;
mod bad_input;
mod cli;
mod contract;
mod contract_files;
mod contract_local;
mod crash;
mod echo_app;
mod egress_workspace;
mod errors;
mod extra_ca;
mod file_server;
mod gateway_agents;
mod gateway_apps;
mod gateway_ports;
mod git_desk;
mod git_host;
mod git_https;
mod git_real;
mod git_reduced;
mod git_ssh;
mod golden;
mod guide;
mod kubernetes_manifests;
// What one test does not use, another one does.
#[allow(dead_code)]
mod harness;
mod harness_tests;
mod kubernetes;
mod kubernetes_role;
mod machine_real;
mod openapi;
mod policy;
mod program;
mod program_files;
mod read_only;
mod real;
mod reconcile;
mod route_walk;
mod samples;
mod site;
mod sql_sources;
mod store_statements;
mod store_upgrade;
mod tidy;
mod uplink;
mod world;
