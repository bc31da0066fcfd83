// What people read when something is wrong in the cluster: each fault is made for real, and its words stand on the page of
// the workspace or of the group with what to do. The pictures are for looking at.
import { chromium, expect, test, type Browser, type Page } from "@playwright/test";
import { mkdirSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import config from "../playwright.config.ts";
import { Cluster, SHELL_IMAGE } from "../support/cluster.ts";
import { Program, root } from "../support/program.ts";
import { connected, run } from "../support/shell.ts";
import { signIn } from "../support/sign-in.ts";
import { World, type Group, type Workspace } from "../support/world.ts";

const cluster = Cluster.given();
test.skip(!cluster, "there is no cluster of ours: tests/run kubernetes");
test.describe.configure({ mode: "serial" });

const pictures = join(root, "target/browser/pictures/kubernetes");
const NAMESPACE = "codex-platform-faults";
const SMALL = { cpu: "50m", memory: "64Mi", storage: "64Mi" };

let world: World;
let browser: Browser;
let page: Page;
let group: Group;
// A node asks a registry for long before it gives up: these are made first and looked at later.
let registry: Server;
let noImage: Workspace;
let noRegistry: Workspace;

test.beforeAll(async () => {
  test.setTimeout(120_000);
  mkdirSync(pictures, { recursive: true });
  world = await World.on(new Program(cluster!.settings("direct")));
  group = await world.group("faults", "Faults", [], [], { cpu: "2000", memory: "20000Gi", storage: "4096Ti", pods: 50 });
  browser = await chromium.launch(config.use!.launchOptions);
  const context = await browser.newContext({ ...config.use!.contextOptions, baseURL: world.url, viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  await page.goto("/");
  await signIn(page, world.admin);
  const empty = await cluster!.emptyRegistry();
  registry = empty.server;
  noImage = await make("no-such-image", { image: `${empty.name}/team/tols:1` });
  noRegistry = await make("no-registry", { image: "registry.local/nobody-made-this:1" });
});

test.afterAll(async () => {
  test.setTimeout(120_000);
  registry?.close();
  await browser?.close();
  await world?.program.remove();
  await cluster!.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found");
});

async function make(name: string, more: object = {}): Promise<Workspace> {
  const asked = { name, groupId: group.id, image: SHELL_IMAGE, resources: SMALL, start: true, ...more };
  return (await world.api()).call("POST", "/api/workspaces", asked);
}

async function act(workspace: Workspace, type: string): Promise<void> {
  await (await world.api()).call("POST", `/api/workspaces/${workspace.id}/actions`, { type });
}

/** Waits until the workspace gives this reason, and looks at its page. */
async function says(workspace: Workspace, code: string): Promise<void> {
  const api = await world.api();
  const now = () => api.call("GET", `/api/workspaces/${workspace.id}`);
  await expect.poll(async () => (await now()).reason?.code, { timeout: 90_000 }).toBe(code);
  const { reason } = await now();
  await page.goto(`/workspaces/${workspace.id}`);
  const main = page.getByRole("main");
  await expect(main).toContainText(reason.message);
  await expect(main).toContainText(reason.remedy);
  test.info().annotations.push({ type: code, description: `${reason.message} ${reason.remedy}` });
  await page.screenshot({ path: join(pictures, `words-${code}.png`) });
}

/** The uid of the pod of a workspace that runs. */
function podOf(workspace: Workspace): Promise<string> {
  return cluster!.kubectl("get", "pods", `--namespace=${NAMESPACE}`, `--selector=codex-web/workspace=${workspace.id}`, "--output=jsonpath={.items[0].metadata.uid}");
}

/** The agent of a workspace as soon as there is one: a container that ended is begun again. */
async function agentOf(workspace: Workspace): Promise<number> {
  await world.until(workspace.id, "running", world.admin, 90_000);
  const pod = await podOf(workspace);
  await expect.poll(() => cluster!.agentOf(pod)).not.toBe(null);
  return cluster!.agentOf(pod)!;
}

/** Ends the agent from outside, as a fault of its own would. */
async function crash(workspace: Workspace): Promise<void> {
  const agent = await agentOf(workspace);
  process.kill(agent, "SIGKILL");
  await expect.poll(async () => cluster!.agentOf(await podOf(workspace))).not.toBe(agent);
}

test("a size that no node has", async () => {
  await says(await make("huge-cpu", { resources: { ...SMALL, cpu: "500" } }), "insufficient_cpu");
  await says(await make("huge-memory", { resources: { ...SMALL, memory: "4000Gi" } }), "insufficient_memory");
});

test("a template of the local runtime for which no image is named", async () => {
  await says(await make("notebook", { image: "local:jupyterlab" }), "needs_image");
});

test("a disk that cannot be made", async () => {
  await says(await make("huge-disk", { resources: { ...SMALL, storage: "1024Ti" } }), "disk_not_made");
});

test("a disk that somebody deleted", async () => {
  const workspace = await make("disk-gone");
  await world.until(workspace.id, "running", world.admin, 90_000);
  await act(workspace, "stop");
  await world.until(workspace.id, "stopped", world.admin, 90_000);
  await cluster!.kubectl("delete", "persistentvolumeclaim", `--namespace=${NAMESPACE}`, `--selector=codex-web/workspace=${workspace.id}`);
  await act(workspace, "start");
  await says(workspace, "disk_missing");
});

test("an image that its registry does not have, and one whose registry does not answer", async () => {
  await says(noImage, "image_not_found");
  await says(noRegistry, "registry_unreachable");
});

test("a workspace that ends by itself again and again, with its last lines", async () => {
  const workspace = await make("crashing");
  await crash(workspace); // the cluster starts it again at once
  await crash(workspace); // and then with pauses
  await says(workspace, "crashed");
});

test("a program that takes more memory than there is", async () => {
  const workspace = await make("hungry");
  await crash(workspace);
  await agentOf(workspace);
  await page.goto(`/workspaces/${workspace.id}`);
  await page.getByRole("link", { name: "Open terminal" }).first().click();
  await connected(page);
  await run(page, "probe eat 200", "Killed");
  // Whether the kernel ends the one program or the whole container with it is the node's to say: here also the container.
  await crash(workspace);
  await says(workspace, "out_of_memory");
});

test("a quota of the cluster that lets nothing more in", async () => {
  await cluster!.kubectl("create", "quota", "tight", `--namespace=${NAMESPACE}`, "--hard=count/pods=1");
  const workspace = await make("one-too-many");
  await says(workspace, "quota_refused");
  await cluster!.kubectl("delete", "quota", "tight", `--namespace=${NAMESPACE}`);
  await world.until(workspace.id, "running", world.admin, 120_000);
});

test("a node that does not answer", async () => {
  const workspace = await make("on-that-node");
  await world.until(workspace.id, "running", world.admin, 90_000);
  cluster!.component("kubelet", "stop");
  try {
    await says(workspace, "node_gone");
  } finally {
    cluster!.component("kubelet", "start");
  }
  await world.until(workspace.id, "running", world.admin, 120_000);
});

test("a group whose namespace is held", async () => {
  const api = await world.api();
  const workspaces = (await api.call("GET", "/api/workspaces?limit=100")) as Workspace[] | { items: Workspace[] };
  const all = Array.isArray(workspaces) ? workspaces : workspaces.items;
  for (const { id } of all) await api.call("DELETE", `/api/workspaces/${id}`);
  await expect.poll(async () => JSON.stringify(await api.call("GET", "/api/workspaces?limit=100")).includes('"id"'), { timeout: 120_000 }).toBe(false);
  await cluster!.kubectl("create", "configmap", "held", `--namespace=${NAMESPACE}`);
  const hold = (finalizers: string) => cluster!.kubectl("patch", "configmap", "held", `--namespace=${NAMESPACE}`, "--type=merge", `--patch={"metadata":{"finalizers":${finalizers}}}`);
  await hold('["example.com/hold"]');
  await api.call("DELETE", `/api/groups/${group.id}`);
  await page.goto(`/groups/${group.id}`);
  await expect(page.getByRole("main")).toContainText("example.com/hold", { timeout: 60_000 });
  await page.screenshot({ path: join(pictures, "words-group-held.png") });
  await hold("null");
  await cluster!.isGone(NAMESPACE);
});
