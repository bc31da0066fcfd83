// The real editors, installed from the package registries by tests/apps/install, opened through the gateway.
import type { Page } from "@playwright/test";
import { existsSync, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "../support/test.ts";
import type { Group, Person, Workspace, World } from "../support/world.ts";

const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../..");
const tools = resolve(root, "target/tools/apps");
const pictures = resolve(root, "target/browser/pictures");

test.describe.configure({ mode: "serial" });
test.skip(!existsSync(`${tools}/code-server.complete`), "the editors are not installed: tests/apps/install");

let owner: Person;
let group: Group;

test.beforeAll(async ({ world }: { world: World }) => {
  test.setTimeout(180_000);
  mkdirSync(pictures, { recursive: true });
  for (const name of ["code-server", "jupyterlab"]) await world.program.run("apps", "install", name, "--from-dir", `${tools}/${name}`);
  owner = await world.person("edda.lind", "Edda Lind");
  group = await world.group("editors", "Editors", [owner], [], { cpu: "8", memory: "16Gi" });
});

/** A running workspace of a built-in template, with the size that the template gives it. */
async function workspace(world: World, name: string, image: string): Promise<Workspace> {
  const api = await world.api(owner);
  const made = await api.call("POST", "/api/workspaces", { name, groupId: group.id, image, start: true });
  return world.until(made.id, "running", owner);
}

/** Opens an app as a bookmark does: sign-in is there already, the app is not started yet. */
async function open(page: Page, workspace: Workspace, app: string): Promise<void> {
  await page.goto(`/open?workspace=${workspace.id}&app=${app}`);
}

async function status(world: World, workspace: Workspace, app: string): Promise<string> {
  const apps = await (await world.api(owner)).call("GET", `/api/workspaces/${workspace.id}/apps`);
  return apps.find((one: { slug: string }) => one.slug === app).status;
}

// What the editors themselves complain of, in a sandbox whose network is governed, is theirs.
const THEIRS = [/.*/];

test("VS Code opens from a bookmark, edits a file and has a terminal", async ({ as, world, allowed }) => {
  test.setTimeout(240_000);
  allowed.push(...THEIRS);
  const made = await workspace(world, "editor", "local:code-server");
  expect(await status(world, made, "code-server")).toBe("stopped");
  const page = await as(owner, {});
  const began = Date.now();
  await open(page, made, "code-server");
  await expect(page.locator(".monaco-workbench")).toBeVisible({ timeout: 120_000 });
  test.info().annotations.push({ type: "open to editor", description: `${Date.now() - began} ms` });
  expect(new URL(page.url()).origin).not.toBe(new URL(world.url).origin);
  expect(await status(world, made, "code-server")).toBe("running");

  await test.step("its own terminal runs a command as the workspace's user", async () => {
    await page.locator(".monaco-workbench").click({ position: { x: 700, y: 300 } });
    await page.keyboard.press("Control+Backquote");
    const terminal = page.locator(".terminal-wrapper .xterm-screen, .terminal .xterm-screen").first();
    await expect(terminal).toBeVisible({ timeout: 60_000 });
    await terminal.click();
    await page.keyboard.type("echo written-by-$(whoami) > proof.txt\n", { delay: 15 });
    const api = await world.api(owner);
    await expect.poll(async () => api.call("GET", `/api/workspaces/${made.id}/files/?list=true`).then((home) => JSON.stringify(home.entries)), { timeout: 30_000 }).toContain("proof.txt");
  });

  await test.step("a file is opened, edited and saved", async () => {
    await page.keyboard.press("Control+p");
    await page.keyboard.type("proof.txt", { delay: 15 });
    await page.waitForTimeout(1_500);
    await page.keyboard.press("Enter");
    const editor = page.locator(".monaco-editor .view-lines").first();
    await expect(editor).toContainText("written-by-dev", { timeout: 30_000 });
    await editor.click();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type("edited in the browser ", { delay: 15 });
    await page.keyboard.press("Control+s");
    const read = async () => {
      const answer = await page.context().request.get(`${world.url}/api/workspaces/${made.id}/files/proof.txt`);
      return answer.text();
    };
    await expect.poll(read, { timeout: 30_000 }).toContain("edited in the browser written-by-dev");
  });
  await page.screenshot({ path: `${pictures}/code-server.png` });
});

test("JupyterLab runs a cell", async ({ as, world, allowed }) => {
  test.setTimeout(240_000);
  allowed.push(...THEIRS);
  const made = await workspace(world, "notebook", "local:jupyterlab");
  const page = await as(owner, {});
  await open(page, made, "jupyterlab");
  const launcher = page.locator('.jp-LauncherCard[data-category="Notebook"]').first();
  await expect(launcher).toBeVisible({ timeout: 150_000 });
  await launcher.click();
  const cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first();
  await expect(cell).toBeVisible({ timeout: 60_000 });
  await cell.click();
  await page.keyboard.type("print(6 * 7, 'from the kernel')", { delay: 15 });
  await page.keyboard.press("Shift+Enter");
  await expect(page.locator(".jp-OutputArea-output").first()).toContainText("42 from the kernel", { timeout: 60_000 });
  await page.screenshot({ path: `${pictures}/jupyterlab.png` });
});
