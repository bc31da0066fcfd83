// VS Code in a restricted pod, in the browser: its page, its terminal, ours, and the files over a stop. Three times: the
// server deployed into the cluster, and beside it by both ways to the pods.
import { chromium, expect, test, type Browser, type Page } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import config from "../playwright.config.ts";
import { Cluster, Deployed } from "../support/cluster.ts";
import { Program, root } from "../support/program.ts";
import { connected, run } from "../support/shell.ts";
import { signIn } from "../support/sign-in.ts";
import { World, type Group, type Workspace } from "../support/world.ts";

const cluster = Cluster.given();
test.skip(!cluster, "there is no cluster of ours: tests/run kubernetes");

const pictures = join(root, "target/browser/pictures/kubernetes");

test.beforeAll(() => {
  test.setTimeout(300_000);
  mkdirSync(pictures, { recursive: true });
  cluster!.importEditor();
});

interface Place {
  title: string;
  /** Part of names and of pictures. */
  word: string;
  make: () => Program;
}

const places: Place[] = [
  { title: "the server in the cluster, from the shipped manifests", word: "inside", make: () => new Deployed(cluster!) },
  { title: "the server beside the cluster, by the addresses of pods", word: "direct", make: () => new Program(cluster!.settings("direct")) },
  { title: "the server beside the cluster, through the API server", word: "forwarded", make: () => new Program(cluster!.settings("port-forward")) },
];

/** A browser of its own that finds the server, whatever the names around here. */
function browserFor(program: Program): Promise<Browser> {
  const { launchOptions } = config.use!;
  const rules = program instanceof Deployed ? [`--host-resolver-rules=MAP ${Deployed.HOST} ${program.address}, MAP *.${Deployed.APPS} ${program.address}`] : [];
  return chromium.launch({ ...launchOptions, args: [...launchOptions!.args!, ...rules] });
}

async function act(world: World, workspace: Workspace, type: string, status: string): Promise<void> {
  await (await world.api()).call("POST", `/api/workspaces/${workspace.id}/actions`, { type });
  await world.until(workspace.id, status, world.admin, 90_000);
}

async function terminal(page: Page, workspace: Workspace): Promise<void> {
  await page.goto(`/workspaces/${workspace.id}`);
  await page.getByRole("link", { name: "Open terminal" }).first().click();
  await connected(page);
}

for (const { title, word, make } of places) {
  test(title, async () => {
    const program = make();
    let browser: Browser | null = null;
    let looking: Page | null = null;
    try {
      const world = await World.on(program);
      const namespace = `codex-platform-ide-${word}`;
      const api = await world.api();
      let group!: Group;
      let workspace!: Workspace;
      await test.step("a group is a namespace that holds its pods to the standard", async () => {
        group = await world.group(`ide-${word}`, "Editors", []);
        const labels = await cluster!.kubectl("get", "namespace", namespace, "--output=jsonpath={.metadata.labels}");
        expect(labels).toContain('"pod-security.kubernetes.io/enforce":"restricted"');
        const resources = { cpu: "500m", memory: "1Gi", storage: "1Gi" };
        workspace = await api.call("POST", "/api/workspaces", { name: "editor", groupId: group.id, image: "local:code-server", resources, start: true });
        await world.until(workspace.id, "running", world.admin, 120_000);
      });

      browser = await browserFor(program);
      const context = await browser.newContext({ ...config.use!.contextOptions, baseURL: world.url, ignoreHTTPSErrors: true, viewport: config.use!.viewport });
      context.setDefaultTimeout(30_000);
      const page = (looking = await context.newPage());
      await page.goto("/");
      await signIn(page, world.admin);
      await test.step("its terminal, typed into", async () => {
        await terminal(page, workspace);
        await run(page, "echo user-$(id -u) && grep CapEff /proc/self/status", /user-1000[\s\S]*CapEff:\s+0000000000000000/);
        await run(page, "echo kept over a stop > kept.txt && cat kept.txt", "kept over a stop");
        await page.screenshot({ path: join(pictures, `${word}-terminal.png`) });
      });
      await test.step("VS Code opens at an origin of its own, and its terminal runs a command", async () => {
        await page.goto(`/open?workspace=${workspace.id}&app=code-server`);
        await expect(page.locator(".monaco-workbench")).toBeVisible({ timeout: 150_000 });
        expect(new URL(page.url()).origin).not.toBe(new URL(world.url).origin);
        await expect(page.locator(".explorer-folders-view")).toContainText("kept.txt", { timeout: 60_000 });
        await page.locator(".monaco-workbench").click({ position: { x: 700, y: 300 } });
        await page.keyboard.press("Control+Backquote");
        const theirs = page.locator(".terminal-wrapper .xterm-screen, .terminal .xterm-screen").first();
        await expect(theirs).toBeVisible({ timeout: 60_000 });
        // What is typed before its shell is there is lost on a busy machine.
        await expect(async () => {
          await theirs.click();
          await page.keyboard.type("echo written-by-$(id -u) > proof.txt\n", { delay: 15 });
          await expect(page.locator(".explorer-folders-view")).toContainText("proof.txt", { timeout: 20_000 });
        }).toPass({ timeout: 150_000 });
        await page.screenshot({ path: join(pictures, `${word}-code-server.png`) });
      });
      await test.step("a stop leaves no pod, and a start finds the files", async () => {
        await act(world, workspace, "stop", "stopped");
        expect(await cluster!.kubectl("get", "pods", `--namespace=${namespace}`, "--output=name")).toBe("");
        await act(world, workspace, "start", "running");
        await terminal(page, workspace);
        await run(page, "cat kept.txt proof.txt", /kept over a stop[\s\S]*written-by-1000/);
      });
      await test.step("the group is deleted, and nothing is left", async () => {
        const status = (path: string) => api.call("GET", path).then(() => 200, (error: Error) => Number(/: (\d{3}) /.exec(error.message)?.[1]));
        await api.call("DELETE", `/api/workspaces/${workspace.id}`);
        await expect.poll(() => status(`/api/workspaces/${workspace.id}`), { timeout: 90_000 }).toBe(404);
        await api.call("DELETE", `/api/groups/${group.id}`);
        await cluster!.isGone(namespace);
        await expect.poll(() => status(`/api/groups/${group.id}`), { timeout: 60_000 }).toBe(404);
        const volumes = await cluster!.kubectl("get", "persistentvolumes", "--output=jsonpath={.items[*].spec.claimRef.namespace}");
        expect(volumes.split(" ")).not.toContain(namespace);
      });
    } catch (error) {
      await looking?.screenshot({ path: join(pictures, `${word}-failed.png`) });
      throw error;
    } finally {
      await browser?.close();
      await program.remove();
      await cluster!.kubectl("delete", "namespace", `codex-platform-ide-${word}`, "--ignore-not-found", "--wait=false");
    }
  });
}
