// Opening what runs in a workspace from a link that may be kept: after sign-in, after a start, and with care where it is somebody else's.
import type { Page } from "@playwright/test";
import { expectAccessible } from "../support/access.ts";
import { connected, enter, run } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";
import type { Group, Person, Workspace, World } from "../support/world.ts";

test.describe.configure({ mode: "serial" });

let owner: Person;
let group: Group;
let workspace: Workspace;
const PORT = 8124;

test.beforeAll(async ({ world }: { world: World }) => {
  owner = await world.person("lena.frost", "Lena Frost");
  group = await world.group("opening", "Opening", [owner, world.admin]);
  workspace = await world.workspace(owner, group, "site-preview");
});

const link = () => `/open?workspace=${workspace.id}&port=${PORT}&to=${encodeURIComponent("/page.html?x=1")}`;

/** What a page without an icon of its own is asked for. */
const FAVICON = /status of 404 .*favicon\.ico/;

/** Serves a page inside the workspace until it ends. */
async function serve(page: Page) {
  await page.goto(`/workspaces/${workspace.id}/terminal`);
  await connected(page);
  await run(page, `mkdir -p site && cd site && echo '<title>inside</title><h1>Page of Lena</h1>' > page.html && echo made-$((1+1))`, "made-2");
  await enter(page, `python3 -m http.server ${PORT} --bind 127.0.0.1 >/dev/null 2>&1 &`);
}

test("a kept link comes back to the app after the sign-in", async ({ as, world, allowed }) => {
  allowed.push(FAVICON);
  await serve(await as(owner));
  const page = await as(null, { at: link() });
  await expect(page.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible();
  await page.getByLabel("User name or e-mail").fill(owner.username);
  await page.getByLabel("Password", { exact: true }).fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Page of Lena" })).toBeVisible();
  const url = new URL(page.url());
  expect(url.origin).not.toBe(new URL(world.url).origin);
  expect(url.pathname + url.search).toBe("/page.html?x=1");
  await test.step("the app's own address is a link to keep, too", async () => {
    const kept = page.url();
    await page.context().clearCookies({ name: /codex/i });
    await page.goto(kept);
    await expect(page.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible();
    await page.getByLabel("User name or e-mail").fill(owner.username);
    await page.getByLabel("Password", { exact: true }).fill(owner.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { name: "Page of Lena" })).toBeVisible();
    expect(page.url()).toBe(kept);
  });
});

test("a stopped workspace is started with its steps, and the page waits for the server", async ({ as, world, allowed }) => {
  allowed.push(FAVICON);
  const api = await world.api(owner);
  await api.call("POST", `/api/workspaces/${workspace.id}/actions`, { type: "stop" });
  await world.until(workspace.id, "stopped", owner);
  const page = await as(owner, { at: link() });
  await expect(page.getByRole("heading", { name: `Waiting for port ${PORT}` })).toBeVisible();
  await expect(page.getByText("site-preview runs")).toBeVisible();
  await expectAccessible(page, "waiting for a port");
  await serve(await as(owner));
  await page.bringToFront();
  await expect(page.getByRole("heading", { name: "Page of Lena" })).toBeVisible();
});

test("somebody else's workspace is entered only after it was said whose it is, and with a reason", async ({ as, world, allowed }) => {
  allowed.push(FAVICON);
  const page = await as(world.admin, { at: link() });
  await expect(page.getByRole("heading", { name: "Open somebody else’s workspace?" })).toBeVisible();
  await expect(page.getByText("Lena Frost owns site-preview")).toBeVisible();
  await expect(page.getByText(/written into the audit log, with your reason, and Lena Frost is told/)).toBeVisible();
  await expectAccessible(page, "asking before somebody else's workspace");
  await page.getByRole("button", { name: `Open port ${PORT}` }).click();
  await expect(page.getByLabel("Reason")).toHaveAccessibleDescription(/Write why you need to/);
  await page.getByLabel("Reason").fill("She asked me to look at her page.");
  await page.getByRole("button", { name: `Open port ${PORT}` }).click();
  await expect(page.getByRole("heading", { name: "Page of Lena" })).toBeVisible();
  const { items } = await (await world.api()).call("GET", "/api/admin/audit-logs?action=open_app");
  expect(JSON.stringify(items[0])).toContain("She asked me to look at her page.");
});

test("a terminal and the files of somebody else's workspace ask for the reason first, once", async ({ as, world }) => {
  const page = await as(world.admin, { at: `/workspaces/${workspace.id}` });
  await page.getByRole("link", { name: "Open terminal" }).first().click();
  await expect(page.getByText("Lena Frost owns site-preview")).toBeVisible();
  await expect(page.getByText(/written into the audit log, with your reason, and Lena Frost is told/)).toBeVisible();
  await expectAccessible(page, "asking before somebody else's terminal");
  await page.getByRole("button", { name: "Open terminal" }).click();
  await expect(page.getByLabel("Reason")).toHaveAccessibleDescription(/Write why you need to/);
  await expect(page.getByLabel("Reason")).toBeFocused();
  await page.getByLabel("Reason").fill("Her build hangs, she called me.");
  await page.keyboard.press("Enter");
  await connected(page);
  await run(page, "echo entered-$((1+1))", "entered-2");
  await page.getByRole("navigation", { name: "Workspace" }).getByRole("link", { name: "Files" }).click();
  await expect(page.getByRole("row", { name: /site/ })).toBeVisible();
  const api = await world.api();
  for (const action of ["open_terminal", "read_workspace_files"]) {
    const { items } = await api.call("GET", `/api/admin/audit-logs?action=${action}`);
    expect(JSON.stringify(items[0]), action).toContain("Her build hangs, she called me.");
  }
});

test("what cannot be opened says why and what to do", async ({ as, world, allowed }) => {
  allowed.push(/status of (403|404)/);
  const page = await as(owner);
  await test.step("an address that was cut off", async () => {
    await page.goto("/open");
    await expect(page.getByRole("heading", { name: "The address is not complete" })).toBeVisible();
    await expectAccessible(page, "incomplete link");
  });
  await test.step("a workspace that is not there", async () => {
    await page.goto(`/open?workspace=${workspace.id.slice(0, -4)}0000&app=code-server`);
    await expect(page.getByRole("alert")).toBeVisible();
    await expect(page.getByRole("link", { name: "Home" })).toBeVisible();
    await expectAccessible(page, "unknown workspace");
  });
  await test.step("an app that its template has not", async () => {
    await page.goto(`/open?workspace=${workspace.id}&app=nothing`);
    await expect(page.getByRole("heading", { name: "It has no such app" })).toBeVisible();
    await page.getByRole("link", { name: "Open terminal" }).click();
    await connected(page);
  });
  await test.step("a workspace of a stranger", async () => {
    const stranger = await world.person("kai.moll", "Kai Moll");
    const other = await as(stranger, { at: link() });
    await expect(other.getByRole("alert").or(other.getByRole("heading", { name: "Not yours to open" })).first()).toBeVisible();
  });
});
