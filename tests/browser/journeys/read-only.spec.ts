// The server's disk is nearly full: every page says so, reading and stopping go on, and it ends by itself.
import { expectAccessible, expectNoSidewaysScroll } from "../support/access.ts";
import { expect, test } from "../support/test.ts";
import { World } from "../support/world.ts";

test("a full disk is said on every page, what would write is refused, and what frees goes on", async ({ as, allowed }) => {
  // What is refused, what is asked of what was just deleted, and what a browser says while nobody answers.
  allowed.push(/status of 507/, /404 \(Not Found\).*\/api\/workspaces\//, /ERR_/, /WebSocket/, /status of 50[23]/);
  const settings: Record<string, string> = {};
  const world = await World.start(settings);
  try {
    const owner = await world.person("jonas.weil", "Jonas Weil");
    const group = await world.group("narrow", "Narrow", [owner]);
    const workspace = await world.workspace(owner, group, "keeps-on");
    const resting = await world.workspace(owner, group, "rests", { start: false });
    const restart = async () => { await world.program.stop(); await world.program.start(); };
    // More is to be kept free than any disk here has.
    settings.CODEX_WEB_DATA__MIN_FREE = "1048576";
    await restart();
    const page = await as(owner, { baseURL: world.url, at: "/" });
    const banner = page.getByRole("alert").filter({ hasText: "The server’s disk is nearly full." });

    await test.step("it is said, with what goes on and what does not", async () => {
      await expect(banner).toContainText("Nothing new is saved and no workspace starts. Reading, stopping and deleting work.");
      await expect(banner).not.toContainText("codex-web doctor");
      for (const path of ["/groups", `/workspaces/${workspace.id}`, "/profile"]) {
        await page.goto(path);
        await expect(banner).toBeVisible();
      }
      await expectAccessible(page, "a full disk");
      await page.setViewportSize({ width: 360, height: 740 });
      await expectNoSidewaysScroll(page, "a full disk");
      await page.screenshot({ path: "../../target/browser/pictures/read-only-360.png" });
      await page.setViewportSize({ width: 1440, height: 900 });
    });

    await test.step("an administrator is told where to look", async () => {
      const admin = await as(world.admin, { baseURL: world.url, at: "/admin" });
      const told = admin.getByRole("alert").filter({ hasText: "The server’s disk is nearly full." });
      await expect(told.locator("code")).toHaveText("codex-web doctor");
      await admin.screenshot({ path: "../../target/browser/pictures/read-only.png" });
    });

    await test.step("a start is refused, and says why", async () => {
      await page.goto("/");
      const card = page.getByRole("article", { name: "rests" });
      await card.getByRole("button", { name: "Start", exact: true }).click();
      await expect(page.getByRole("alert").filter({ hasText: "Not started" })).toContainText("disk");
      await expect(card).toContainText("Stopped");
    });

    await test.step("stopping and deleting go on", async () => {
      const card = page.getByRole("article", { name: "keeps-on" });
      await world.until(workspace.id, "running");
      await card.getByRole("button", { name: "Stop", exact: true }).click();
      await expect(card).toContainText("Stopped", { timeout: 30_000 });
      await (await world.api(owner)).call("DELETE", `/api/workspaces/${workspace.id}`);
      await expect(card).toHaveCount(0);
    });

    await test.step("there is room again: the banner goes by itself, and a start is taken", async () => {
      delete settings.CODEX_WEB_DATA__MIN_FREE;
      await restart();
      await expect(banner).toHaveCount(0, { timeout: 30_000 });
      await page.getByRole("article", { name: "rests" }).getByRole("button", { name: "Start", exact: true }).click();
      await world.until(resting.id, "running");
    });
  } finally {
    await world.program.remove();
  }
});
