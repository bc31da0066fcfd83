// What an app of a workspace writes and uses: its log is followed, searched, in colour and outlives a restart, and its use
// is told apart from that of the workspace.
import { expectAccessible, expectNoSidewaysScroll } from "../support/access.ts";
import { installStandIn } from "../support/stand-in.ts";
import { expect, test } from "../support/test.ts";
import { World } from "../support/world.ts";

test("the log of an app is followed, searched and coloured, and what it uses is measured by itself", async ({ as }) => {
  test.setTimeout(240_000);
  const world = await World.start();
  try {
    await installStandIn(world.program);
    const owner = await world.person("lotte.arndt", "Lotte Arndt");
    const group = await world.group("logbook", "Logbook", [owner]);
    const templates = await (await world.api()).call("GET", "/api/templates");
    const templateId = templates.find(({ name }: { name: string }) => name === "local:code-server").id;
    const workspace = await world.workspace(owner, group, "chatty", { templateId });
    const page = await as(owner, { baseURL: world.url, at: `/workspaces/${workspace.id}` });
    const log = page.getByRole("log", { name: "Logs of chatty" });
    const tab = (name: string) => page.getByRole("navigation", { name: "Workspace" }).getByRole("link", { name, exact: true });

    await test.step("the app is started from its row, and its log is one press away", async () => {
      const row = page.getByRole("listitem").filter({ hasText: "VS Code" });
      await row.getByRole("button", { name: "More for VS Code" }).click();
      await page.getByRole("menuitem", { name: "Start it again" }).click();
      await expect(row).toContainText("Running");
      await row.getByRole("button", { name: "More for VS Code" }).click();
      await page.getByRole("menuitem", { name: "Log" }).click();
      await expect(page).toHaveURL(/logs\?app=code-server/);
    });

    await test.step("new lines come by themselves, without anything being pressed", async () => {
      await expect(log).toContainText("heartbeat 1");
      await expect(page.getByText("Following")).toBeVisible();
      const last = async () => Number(/heartbeat (\d+)/.exec((await log.locator(".log").last().innerText()))?.[1] || 0);
      const before = await last();
      await expect.poll(last).toBeGreaterThan(before + 2);
    });

    await test.step("colours are those of the design", async () => {
      const word = log.locator("span", { hasText: /^red alert$/ });
      const token = await page.evaluate(() => {
        const probe = document.createElement("i");
        probe.style.color = "var(--term-red)";
        document.body.append(probe);
        const colour = getComputedStyle(probe).color;
        probe.remove();
        return colour;
      });
      await expect(word).toHaveCSS("color", token);
      await expect(log.locator("span", { hasText: /^all well$/ })).toHaveCSS("font-weight", /^(6|7)00$/);
      await expect(log).not.toContainText("[31m");
    });

    await test.step("a word is found, marked, and the rest is put away", async () => {
      await page.getByRole("searchbox", { name: "Find in the logs" }).fill("ALERT");
      await expect(log.locator(".log")).toHaveCount(1);
      await expect(log.locator("mark")).toHaveText("alert");
      await expect(page.getByRole("search", { name: "Find in the logs" }).getByRole("status")).toHaveText(/^1\sline of \d+$/);
      await page.getByRole("searchbox", { name: "Find in the logs" }).fill("");
      await expect.poll(() => log.locator(".log").count()).toBeGreaterThan(3);
    });

    await test.step("whoever reads further up is left there, and goes to the end with one press", async () => {
      await page.setViewportSize({ width: 1440, height: 420 });
      await expect.poll(() => log.evaluate((box) => box.scrollHeight - box.clientHeight)).toBeGreaterThan(100);
      await log.evaluate((box) => { box.scrollTop = 0; });
      await expect(page.getByText("Still being written")).toBeVisible();
      await page.getByRole("button", { name: "To the end" }).click();
      await expect(page.getByText("Following")).toBeVisible();
      await page.setViewportSize({ width: 1440, height: 900 });
    });

    await test.step("the workspace's own log has the lines under the app's name", async () => {
      await page.getByRole("combobox", { name: "Log of" }).selectOption("The workspace");
      await expect(log).toContainText("[code-server] heartbeat");
      await expectAccessible(page, "logs");
      await page.screenshot({ path: "../../target/browser/pictures/logs-followed.png" });
    });

    await test.step("after a restart of the workspace what stood in it before is still there", async () => {
      const old = (await log.locator(".log", { hasText: "red alert" }).first().locator("time").textContent())!;
      await page.getByRole("button", { name: "More actions" }).click();
      await page.getByRole("menuitem", { name: "Restart" }).click();
      await world.until(workspace.id, "running");
      const api = await world.api(owner);
      await expect.poll(async () => (await api.call("GET", `/api/workspaces/${workspace.id}`)).run).toBe(2);
      await world.until(workspace.id, "running");
      await page.reload();
      await expect(log.locator(".log", { hasText: "red alert" }).first().locator("time")).toHaveText(old);
    });

    await test.step("what the app uses is told apart, with what it started", async () => {
      const api = await world.api(owner);
      await api.call("POST", `/api/workspaces/${workspace.id}/apps/code-server/restart`, {});
      await tab("Metrics").click();
      const table = page.getByRole("region", { name: "By app", exact: true });
      await expect(table.getByRole("row", { name: /VS Code/ })).toContainText(/0\.\d+.cores? .*%.*MiB .*%.*2$/, { timeout: 30_000 });
      await expectAccessible(page, "metrics by app");
      await page.screenshot({ path: "../../target/browser/pictures/metrics-by-app.png", fullPage: true });
      await page.getByRole("combobox", { name: "Whose use is shown" }).selectOption("VS Code");
      await expect(page).toHaveURL(/app=code-server/);
      await expect(page.getByRole("region", { name: "CPU", exact: true }).getByRole("img")).toHaveAccessibleName(/In use from/);
      await expect(page.getByRole("region", { name: "Disk", exact: true })).toHaveCount(0);
      await page.setViewportSize({ width: 390, height: 844 });
      await expectNoSidewaysScroll(page, "metrics of an app");
      await page.setViewportSize({ width: 1440, height: 900 });
    });

    await test.step("and is kept: once the server has looked twice, its past is drawn", async () => {
      const known = async () => {
        const told = await (await page.request.get(`${world.url}/api/workspaces/${workspace.id}/metrics/history?app=code-server`)).json();
        return told.looks.filter((looks: number) => looks > 0).length;
      };
      await expect.poll(known, { timeout: 150_000, intervals: [2_000] }).toBeGreaterThan(0);
      await page.getByRole("button", { name: "6 hours" }).click();
      await expect(page.getByRole("region", { name: "Memory", exact: true }).getByRole("img")).toHaveAccessibleName(/In use/);
      await page.screenshot({ path: "../../target/browser/pictures/metrics-of-app.png", fullPage: true });
    });
  } finally {
    await world.program.remove();
  }
});

// Only a container has a log of its own that ends with it. Here the cluster's answer is played: what a real cluster keeps of
// a container that crashed is tested against one.
test("what a container wrote before its last restart is chosen by name, does not grow, and has an address", async ({ as, world }) => {
  const group = await world.group("crashes", "Crashes", [world.admin]);
  const api = await world.api();
  const workspace = await api.call("POST", "/api/workspaces", { name: "crashed-once", groupId: group.id, image: "registry.example.com/team/image:1", resources: { cpu: "1", memory: "1Gi", storage: "1Gi" }, start: true });
  await expect.poll(async () => (await api.call("GET", `/api/workspaces/${workspace.id}`)).status, { timeout: 20_000 }).toBe("error");
  const page = await as(world.admin, { at: `/workspaces/${workspace.id}/logs` });
  const log = page.getByRole("log", { name: "Logs of crashed-once" });
  await page.getByRole("combobox", { name: "Log of" }).selectOption("Before its last restart");
  await expect(page).toHaveURL(/app=~before|app=%7Ebefore/);
  await expect(log).toContainText("Nothing was written yet."); // the server's own answer

  const asked: string[] = [];
  await page.route(/\/api\/.*\/logs\?/, (route) => {
    asked.push(new URL(route.request().url()).search);
    return route.fulfill({ contentType: "text/plain", body: "2026-03-12T10:20:30.000Z warming up\n2026-03-12T10:20:31.000Z \u001b[31mpanic: out of paper\u001b[0m\n" });
  });
  await page.reload();
  await expect(log.locator(".log")).toHaveCount(2);
  await expect(log).toContainText("panic: out of paper");
  await expect(page.getByText("What ended before the container that runs now.")).toBeVisible();
  expect(asked).toEqual(["?lines=1000&previous=true"]);
  await expectAccessible(page, "the log before the last restart");
  await page.screenshot({ path: "../../target/browser/pictures/logs-before.png" });
  await page.getByRole("combobox", { name: "Log of" }).selectOption("The workspace");
  await expect(page).not.toHaveURL(/before/);
});
