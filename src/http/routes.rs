//! Every route on one page. What is not in this table does not exist.
//!
//! Each row says who may call it: the action that policy is asked for, or the reason why anybody may. The edge wires
//! the rows, and the OpenAPI document is built from them. This file is a table and may be longer than other files.

use super::route::{Access, AnswerDoc, Route};
use super::{control, events, health, openapi};
use crate::policy::Action as A;

/// A handler as the table holds it.
macro_rules! to {
    ($handler:path) => {
        |request| Box::pin($handler(request))
    };
}

const PROBE: Access = Access::Public("Load balancers and monitors have no account; it says one word per component.");

/// The table.
pub const ROUTES: &[Route] = &[
    Route::get("/api/health", PROBE, to!(health::summary)).says("One word per component."),
    Route::get("/api/health/live", PROBE, to!(health::live)).says("The process answers."),
    Route::get("/api/health/ready", PROBE, to!(health::ready)).says("503 while the server starts or stops."),
    Route::get("/api/health/detailed", Access::Action(A::ViewDetailedHealth), to!(health::detailed)).says("The health of each part."),
    Route::get("/api/openapi.json", Access::Public("The shape of the API is no secret: the source is public."), to!(openapi::serve))
        .says("This document."),
    Route::get("/api/events", Access::Action(A::ReadEvents), to!(events::follow))
        .says("What changed, as it changes (server-sent events).")
        .gives(200, AnswerDoc::Stream("text/event-stream")),
    // The command line's own routes: on the network they do not exist.
    Route::post("/control/setup-code", Access::CommandLine(A::SetUp), to!(control::setup_code)).says("A new set-up link."),
    Route::post("/control/users", Access::CommandLine(A::CreateUser), to!(control::add_user)).says("A user with a password."),
    Route::get("/control/keys", Access::CommandLine(A::RotateKeys), to!(control::list_keys)).says("The signing keys."),
    Route::post("/control/keys/rotate", Access::CommandLine(A::RotateKeys), to!(control::rotate_keys)).says("New signing keys."),
    Route::post("/control/backups", Access::CommandLine(A::CreateBackup), to!(control::create_backup)).says("A backup."),
    Route::post("/control/restored", Access::CommandLine(A::RestoreBackup), to!(control::restored)).says("A backup was put in place."),
    Route::post("/control/audit/export", Access::CommandLine(A::ViewAuditLog), to!(control::export_audit)).says("The audit log as a file."),
];
