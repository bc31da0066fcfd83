// The server goes away and comes back while pages are open.
import { connected, run, screen } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";
import { World } from "../support/world.ts";

test("a restart: the page says that it is offline, lives again by itself, and the workspace comes back with its files", async ({ as, allowed }) => {
  allowed.push(/ERR_/, /WebSocket/, /status of 50[23]/); // what a browser says while nobody answers
  const world = await World.start();
  try {
    const owner = await world.person("ada.moreau", "Ada Moreau");
    const group = await world.group("night", "Night shift", [owner]);
    const workspace = await world.workspace(owner, group, "overnight");
    const terminal = await as(owner, { baseURL: world.url, at: `/workspaces/${workspace.id}/terminal` });
    const home = await terminal.context().newPage();
    await home.goto("/");
    await connected(terminal);
    await run(terminal, "echo survives > file.txt; echo written-$((1 + 1))", "written-2");
    const foot = home.getByRole("complementary").getByRole("status");
    await expect(foot).toContainText("Live");

    await test.step("gone", async () => {
      await world.program.stop("SIGTERM");
      await expect(home.getByText("You are offline.")).toBeVisible();
      await expect(foot).toContainText("Offline since");
      await expect(home.getByRole("article", { name: "overnight" })).toBeVisible(); // what was read stays
      await expect(terminal.locator(".term-foot")).toContainText("Reconnecting");
      await expect(screen(terminal)).toContainText("written-2");
    });

    await test.step("a button pressed meanwhile says that nothing happened", async () => {
      await home.getByRole("article", { name: "overnight" }).getByRole("button", { name: "Stop" }).click();
      await expect(home.getByRole("alert").filter({ hasText: "Not stopped." })).toContainText("The server did not answer.");
    });

    await test.step("back", async () => {
      await world.program.start();
      await expect(foot).toContainText("Live", { timeout: 30_000 });
      await expect(home.getByText("You are offline.")).toBeHidden();
      await expect(home.getByRole("article", { name: "overnight" })).toContainText("Running");
      await connected(terminal);
      await run(terminal, "cat file.txt", "survives");
    });
  } finally {
    await world.program.remove();
  }
});
