// Servers of a person inside their workspace: found as they listen, opened on an origin of their own, private.
import { expectAccessible } from "../support/access.ts";
import { connected, enter, run } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";

test("a server that somebody starts appears, is opened, and goes when it ends", async ({ as, world }) => {
  const owner = await world.person("ines.lund", "Ines Lund");
  const group = await world.group("ports", "Ports", [owner]);
  const workspace = await world.workspace(owner, group, "front-end");
  const page = await as(owner, { at: `/workspaces/${workspace.id}/ports` });
  const row = page.getByRole("row", { name: /8123/ });

  await test.step("without one, the page teaches how to start one", async () => {
    await expect(page.getByText("No server listens yet")).toBeVisible();
    await expect(page.getByText("python3 -m http.server 8000")).toBeVisible();
    await expectAccessible(page, "no ports");
  });

  const terminal = await page.context().newPage();
  await test.step("it is found with its program while the page is looked at", async () => {
    await terminal.goto(`/workspaces/${workspace.id}/terminal`);
    await connected(terminal);
    await run(terminal, "mkdir -p site && cd site && echo '<h1>From the workspace</h1>' > index.html && echo made-$((1+1))", "made-2");
    await enter(terminal, "python3 -m http.server 8123 --bind 127.0.0.1");
    await page.bringToFront();
    await expect(row).toContainText("python3");
    await expect(row).toContainText("127.0.0.1");
    await expect(row).toContainText("Private");
    await expectAccessible(page, "ports");
  });

  await test.step("its link opens what it serves, on an origin of its own", async () => {
    const opening = page.context().waitForEvent("page");
    await row.getByRole("link", { name: "Open port 8123" }).click();
    const app = await opening;
    await expect(app.getByRole("heading", { name: "From the workspace" })).toBeVisible();
    expect(new URL(app.url()).origin).not.toBe(new URL(world.url).origin);
    await app.close();
  });

  await test.step("it goes when the server ends", async () => {
    await terminal.bringToFront();
    await terminal.locator(".term-screen:not([hidden]) .xterm-helper-textarea").focus();
    await terminal.keyboard.press("Control+c");
    await page.bringToFront();
    await expect(page.getByText("No server listens yet")).toBeVisible();
  });
});
