// Use over time: live and past charts of a workspace and a group, what stands out, and a quota that is sized and moved.
import { expect, test } from "../support/test.ts";

test("a workspace is measured while one looks, and each chart is a table too", async ({ as, world }) => {
  const owner = await world.person("greta.hollm", "Greta Hollm");
  const group = await world.group("measured", "Measured", [owner], [], { cpu: "4", memory: "8Gi", storage: "100Gi", pods: 10 });
  const workspace = await world.workspace(owner, group, "busy-one");
  const page = await as(owner, { at: `/workspaces/${workspace.id}/metrics` });

  await test.step("live: processor, memory, disk and processes", async () => {
    for (const name of ["CPU", "Memory", "Disk", "Processes"]) await expect(page.getByRole("region", { name, exact: true })).toBeVisible();
    await expect(page.getByRole("region", { name: "Memory", exact: true }).getByRole("img")).toHaveAccessibleName(/In use from [\d.]+.(K|M|G)iB to/);
    await page.getByRole("button", { name: "Table of Processes" }).click();
    await expect(page.getByRole("table").getByRole("columnheader", { name: "In use" })).toBeVisible();
  });

  await test.step("the past: once the server has looked, its minute is drawn and what was before is a gap", async () => {
    test.setTimeout(180_000);
    const known = async () => {
      const told = await (await page.request.get(`/api/workspaces/${workspace.id}/metrics/history`)).json();
      return told.looks.filter((looks: number) => looks > 0).length;
    };
    await expect.poll(known, { timeout: 130_000, intervals: [2_000] }).toBeGreaterThan(0);
    await page.getByRole("button", { name: "6 hours" }).click();
    await expect(page).toHaveURL(/range=6h/);
    await page.getByRole("button", { name: "Table of Memory" }).click();
    const table = page.getByRole("region", { name: "Memory", exact: true }).getByRole("table");
    await expect(table.getByRole("columnheader", { name: "Minute" })).toBeVisible();
    await expect(table.getByRole("row").nth(300)).toContainText("–");
  });

  await test.step("the group's own chart shows what its quota counts", async () => {
    await page.goto(`/groups/${group.id}`);
    const chart = page.getByRole("region", { name: "Use over time" });
    await expect(chart.getByRole("img")).toHaveAccessibleName(/In use from .* to [1-9]/);
    await expect(chart).toContainText(/Quota 4.cores/);
    await chart.getByRole("button", { name: "Workspaces" }).click();
    await expect(chart.getByRole("img")).toHaveAccessibleName(/Running from/);
    await chart.getByRole("button", { name: "7 days" }).click();
    await chart.getByRole("button", { name: "Table of Use over time" }).click();
    await expect(chart.getByRole("table").getByRole("columnheader", { name: "Hour" })).toBeVisible();
  });

  await test.step("an administrator sees all groups, each node, and who uses most", async () => {
    const admin = await as(world.admin, { at: "/admin" });
    const chart = admin.getByRole("region", { name: "Use over time" });
    await expect(chart.getByRole("img")).toHaveAccessibleName(/In use from/);
    await chart.getByRole("combobox", { name: "Whose use is shown" }).selectOption({ index: 1 });
    await expect(chart).toContainText(/Node [\d.]+.core/);
    await expect(admin.getByRole("region", { name: "Top consumers" }).getByRole("link", { name: "busy-one" })).toBeVisible();
    await expect(admin.getByText("No stopped workspace was left for long.")).toBeVisible();
  });
});

test("a quota is worked out, set with a reason, and a part of it moved to another group", async ({ as, world, allowed }) => {
  allowed.push(/400 \(Bad Request\).*\/sizing\?/); // the page says what is no number, as the server does
  const lead = await world.person("tomas.veit", "Tomas Veit");
  const from = await world.group("giving", "Giving", [lead], [], { cpu: "6", memory: "8Gi", storage: "100Gi", pods: 10 });
  await world.group("taking", "Taking", [], [], { cpu: "2", memory: "4Gi", storage: "50Gi", pods: 5 });
  const page = await as(world.admin, { at: `/groups/${from.id}/settings` });
  const history = page.getByRole("region", { name: "Quota history" });

  await test.step("the calculator says what the guide says", async () => {
    await page.getByRole("button", { name: "Work out a size" }).click();
    for (const [label, text] of [["Members", "10"], [/^Working at the same time/, "70"], ["Workspaces of a member", "2"], [/^CPU of a workspace/, "2"], ["Memory of a workspace", "4Gi"], ["Storage of a member", "50Gi"]] as const) {
      await page.getByLabel(label).fill(text);
    }
    await expect(page.getByText(/14.cores, 28.GiB of memory, 500.GiB of storage, 20.workspaces/)).toBeVisible();
    await page.getByLabel("Members").fill("none");
    await expect(page.getByLabel("Members")).toHaveAttribute("aria-invalid", "true");
    await page.getByLabel("Members").fill("10");
    await page.getByRole("button", { name: "Take the advised size" }).click();
    await expect(page.getByLabel("CPU", { exact: true })).toHaveValue("20");
  });

  await test.step("it is saved with a reason, and the history has both", async () => {
    await page.getByLabel(/^Reason for a new quota/).fill("Ten people from March on");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Giving saved.")).toBeVisible();
    await expect(history.getByRole("row", { name: /20.cores .*Ten people from March on/ })).toBeVisible();
  });

  await test.step("a part moves to another group in one step", async () => {
    await page.getByRole("button", { name: "Move a part to another group" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: /^Move to/ }).click();
    await expect(dialog.getByText("Give at least one amount.")).toBeVisible();
    await dialog.getByRole("combobox", { name: "To" }).selectOption("Taking");
    await dialog.getByLabel(/^CPU/).fill("5");
    await dialog.getByLabel(/^Reason/).fill("Taking has a deadline");
    await dialog.getByRole("button", { name: "Move to Taking" }).click();
    await expect(page.getByText("Moved from Giving to Taking.")).toBeVisible();
    await expect(history.getByRole("row", { name: /15.cores .*Taking has a deadline/ })).toBeVisible();
    await page.goto("/groups");
  });

  await test.step("its lead sees the history and cannot move anything", async () => {
    const own = await as(lead, { at: `/groups/${from.id}/settings` });
    await expect(own.getByRole("region", { name: "Quota history" }).first()).toContainText("Taking has a deadline");
    await expect(own.getByRole("button", { name: "Move a part to another group" })).toHaveCount(0);
  });
});
