//! Every route on one page. What is not in this table does not exist.
//!
//! Each row says who may call it: the action that policy is asked for, or the reason why anybody may. The edge wires
//! the rows, and the OpenAPI document is built from them. This file is a table and may be longer than other files.

use super::route::{Access, AnswerDoc, Parameter, ParameterKind, Route, schema_of};
use super::templates::TemplateView;
use super::terminal::{TerminalView, TicketBody, TicketView};
use super::workspace_body::{ActionBody, NewWorkspaceBody, WorkspacePatchBody};
use super::workspace_view::{InUseView, TimelineView, WorkspaceView};
use super::{control, events, health, logs, openapi, templates, terminal, workspaces};
use crate::domain::workspace::Component;
use crate::policy::Action as A;

/// A handler as the table holds it.
macro_rules! to {
    ($handler:path) => {
        |request| Box::pin($handler(request))
    };
}

const PROBE: Access = Access::Public("Load balancers and monitors have no account; it says one word per component.");

const TICKETS: &str = "A socket cannot always carry a credential in its handshake: its first frame then shows a one-use ticket.";

const fn asked(name: &'static str, kind: ParameterKind, words: &'static str) -> Parameter {
    Parameter { name, kind, words }
}

const DRY_RUN: &[Parameter] = &[asked("dryRun", ParameterKind::Flag, "Only say whether it would be possible; nothing is written.")];
const REASON: &[Parameter] = &[asked("reason", ParameterKind::Text, "Told to the owner when it is somebody else's.")];
const PAGE: &[Parameter] = &[
    asked("limit", ParameterKind::Integer, "At most so many, up to 1000."),
    asked("cursor", ParameterKind::Text, "From the Link header of the page before."),
];
const WORKSPACES: &[Parameter] = &[
    asked("mine", ParameterKind::Flag, "Only your own."),
    asked("groupId", ParameterKind::Text, "Only those of this group (id or name)."),
    asked("userId", ParameterKind::Text, "Only those of this person."),
    asked("status", ParameterKind::Text, "Only those in this status."),
    asked("search", ParameterKind::Text, "A part of the name."),
    asked("limit", ParameterKind::Integer, "At most so many, up to 1000."),
    asked("cursor", ParameterKind::Text, "From the Link header of the page before."),
    asked("count", ParameterKind::Flag, "Also say how many there are in all (X-Total-Count)."),
];
const LOGS: &[Parameter] = &[
    asked("lines", ParameterKind::Integer, "At most so many of the newest lines, up to 10000."),
    asked("follow", ParameterKind::Flag, "Go on as lines are written."),
];
const TERMINAL: &[Parameter] = &[
    asked("session", ParameterKind::Text, "Name of the terminal; made when there is none of this name."),
    asked("since", ParameterKind::Integer, "Bytes of output that the client has already."),
    asked("started", ParameterKind::Integer, "The started of the hello that since belongs to."),
    asked("cols", ParameterKind::Integer, "Columns."),
    asked("rows", ParameterKind::Integer, "Rows."),
    asked("auth", ParameterKind::Text, "ticket: the first frame shows a ticket, whatever the handshake carries."),
];

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

    Route::get("/api/templates", Access::Action(A::ListTemplates), to!(templates::list))
        .says("What a workspace can be made from.")
        .gives(200, AnswerDoc::List(schema_of::<TemplateView>)),

    Route::get("/api/workspaces", Access::Action(A::ListOwnWorkspaces), to!(workspaces::list))
        .says("The workspaces that you may see, newest first.")
        .asks(WORKSPACES)
        .gives(200, AnswerDoc::List(schema_of::<WorkspaceView>)),
    Route::post("/api/workspaces", Access::Action(A::CreateWorkspace), to!(workspaces::create))
        .says("Makes a workspace, stopped unless start is true. With dryRun: whether it would fit.")
        .takes(schema_of::<NewWorkspaceBody>)
        .asks(DRY_RUN)
        .with_idempotency()
        .with_etag()
        .gives(201, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::get("/api/workspaces/{workspace}", Access::Action(A::ViewWorkspace), to!(workspaces::get))
        .says("One workspace, with what you may do to it.")
        .with_etag()
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::patch("/api/workspaces/{workspace}", Access::Action(A::UpdateWorkspace), to!(workspaces::update))
        .says("Changes name, description or size; a new size holds from the next start.")
        .takes(schema_of::<WorkspacePatchBody>)
        .asks(DRY_RUN)
        .with_etag()
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::delete("/api/workspaces/{workspace}", Access::Action(A::DeleteWorkspace), to!(workspaces::delete))
        .says("Deletes a workspace with its files.")
        .asks(REASON)
        .gives(204, AnswerDoc::Nothing),
    Route::post("/api/workspaces/{workspace}/actions", Access::Action(A::StartWorkspace), to!(workspaces::act))
        .says("Starts, stops or restarts a workspace.")
        .takes(schema_of::<ActionBody>)
        .asks(DRY_RUN)
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::get("/api/workspaces/{workspace}/timeline", Access::Action(A::ViewWorkspace), to!(workspaces::events))
        .says("What happened to it, newest first.")
        .asks(PAGE)
        .gives(200, AnswerDoc::List(schema_of::<TimelineView>)),
    Route::post("/api/workspaces/{workspace}/sync", Access::Action(A::SyncWorkspace), to!(workspaces::sync))
        .says("Looks at the cluster at once.")
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::get("/api/workspaces/{workspace}/health", Access::Action(A::ViewWorkspace), to!(workspaces::health))
        .says("Each part of it, and how it is.")
        .gives(200, AnswerDoc::List(schema_of::<Component>)),
    Route::get("/api/workspaces/{workspace}/metrics", Access::Action(A::ViewWorkspaceMetrics), to!(workspaces::usage))
        .says("What it uses now.")
        .gives(200, AnswerDoc::Json(schema_of::<InUseView>)),
    Route::get("/api/workspaces/{workspace}/logs", Access::Action(A::ViewWorkspaceLogs), to!(logs::read))
        .says("Its log: each line a time and a text.")
        .asks(LOGS)
        .gives(200, AnswerDoc::Text),
    Route::get("/api/workspaces/{workspace}/terminal", Access::InFirstFrame(A::OpenTerminal, TICKETS), to!(terminal::open))
        .says("A terminal, as a WebSocket.")
        .asks(TERMINAL)
        .gives(101, AnswerDoc::Socket),
    Route::post("/api/workspaces/{workspace}/tickets", Access::Action(A::OpenTerminal), to!(terminal::ticket))
        .says("A ticket that opens one socket within 30 seconds.")
        .takes(schema_of::<TicketBody>)
        .gives(201, AnswerDoc::Json(schema_of::<TicketView>)),
    Route::get("/api/workspaces/{workspace}/terminals", Access::Action(A::OpenTerminal), to!(terminal::list))
        .says("Its open terminals.")
        .gives(200, AnswerDoc::List(schema_of::<TerminalView>)),
    Route::delete("/api/workspaces/{workspace}/terminals/{session}", Access::Action(A::OpenTerminal), to!(terminal::end))
        .says("Ends a terminal and the program in it.")
        .gives(204, AnswerDoc::Nothing),

    Route::get("/api/admin/workspaces", Access::Action(A::ListAllWorkspaces), to!(workspaces::list_all))
        .says("All workspaces, newest first.")
        .asks(WORKSPACES)
        .gives(200, AnswerDoc::List(schema_of::<WorkspaceView>)),
    Route::delete("/api/admin/workspaces/{workspace}", Access::Action(A::AdminDeleteWorkspace), to!(workspaces::delete_any))
        .says("Deletes anybody's workspace with its files.")
        .asks(REASON)
        .gives(204, AnswerDoc::Nothing),
];
