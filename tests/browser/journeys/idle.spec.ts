// Workspaces that run and nobody uses: stopped together by whoever may, with a reason that their owners see.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("all idle workspaces are stopped in one step, and their owners are told why", async ({ as, world }) => {
  const [first, second] = [await world.person("wanda.kiel", "Wanda Kiel"), await world.person("pavel.dorn", "Pavel Dorn")];
  const lead = await world.person("irma.voss", "Irma Voss");
  const group = await world.group("resting", "Resting", [first, second], [lead]);
  const idle = [await world.workspace(first, group, "forgotten"), await world.workspace(second, group, "left-on")];
  const used = await world.workspace(second, group, "in-use");
  for (const workspace of idle) await world.unused(workspace, 9);

  await test.step("a member sees neither the list nor the button", async () => {
    const own = await as(first, { at: `/groups/${group.id}` });
    await expect(own.getByRole("heading", { name: "Resting", level: 1 })).toBeVisible();
    await expect(own.getByText("Use over time").first()).toBeVisible();
    await expect(own.getByText("Idle workspaces")).toHaveCount(0);
    await expect(own.getByRole("button", { name: /^Stop all/ })).toHaveCount(0);
  });

  await test.step("the group's admin sees them, with what stopping frees", async () => {
    const page = await as(lead, { at: `/groups/${group.id}` });
    const card = page.getByRole("region", { name: "Idle workspaces" });
    await expect(card.getByRole("row")).toHaveCount(3);
    await expect(page.getByText(/stopping all 2 frees 2.cores and 2.GiB of memory/)).toBeVisible();
    await expect(page.getByRole("button", { name: "Stop all idle" })).toBeVisible();
  });

  const page = await as(world.admin, { at: "/admin" });
  await test.step("the administrator is asked first, and says why", async () => {
    const rows = page.getByRole("region", { name: "Idle workspaces" }).getByRole("row");
    await expect(rows.filter({ hasText: "forgotten" })).toContainText(/9.h ago/);
    await expect(rows.filter({ hasText: "in-use" })).toHaveCount(0);
    await page.screenshot({ path: "../../target/browser/pictures/idle.png", fullPage: true });
    await page.getByRole("button", { name: "Stop all idle" }).click();
    const dialog = page.getByRole("dialog", { name: /^Stop 2.idle workspaces\?$/ });
    await expect(dialog).toContainText("Running programs end; files are kept.");
    await dialog.getByLabel(/^Reason/).fill("Nobody has used it since this morning");
    await expectAccessible(page, "stopping all idle");
    await page.screenshot({ path: "../../target/browser/pictures/idle-dialog.png" });
    await dialog.getByRole("button", { name: "Stop 2" }).click();
    await expect(page.getByText("2 stopped.")).toBeVisible();
    await expect(page.getByText("Every workspace that runs is used.")).toBeVisible();
  });

  await test.step("they are stopped, the used one is not", async () => {
    for (const workspace of idle) await world.until(workspace.id, "stopped");
    await world.until(used.id, "running");
  });

  await test.step("and the owner reads the reason", async () => {
    const own = await as(second, { at: "/notices" });
    await expect(own.getByRole("listitem").filter({ hasText: "left-on" })).toContainText("Nobody has used it since this morning");
  });
});
