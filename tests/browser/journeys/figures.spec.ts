// What an administrator reads and sets: the overview in figures, settings that hold at once, quotas beyond the cluster.
import { expect, test } from "../support/test.ts";

test("a setting is found, changed, seen to hold, and put back", async ({ as, world, allowed }) => {
  allowed.push(/status of 400/);
  const page = await as(world.admin, { at: "/admin/settings" });
  const field = page.getByLabel("Shortest password", { exact: true });

  await test.step("each section is one press away, and has an address", async () => {
    const sections = page.getByRole("navigation", { name: "Sections" });
    const prices = page.getByRole("heading", { name: "Prices", exact: true });
    await expect(prices).not.toBeInViewport();
    await sections.getByRole("link", { name: "Prices" }).click();
    await expect(prices).toBeInViewport();
    await expect(page).toHaveURL(/\/admin\/settings#pricing$/);
    await expect(page.getByLabel("Currency")).toBeFocused();
    await page.reload();
    await expect(prices).toBeInViewport();
  });

  await test.step("it is found by a word, and the address keeps the search", async () => {
    await page.getByRole("searchbox", { name: "Find a setting" }).fill("password");
    await expect(field).toHaveValue("12");
    await expect(page).toHaveURL(/find=password/);
    await expect(page.getByText("Listen", { exact: true })).toHaveCount(0);
  });

  await test.step("what it may not be is said at the field, and what was typed stays", async () => {
    await field.fill("3");
    await expect(page.getByRole("region", { name: "Unsaved changes" })).toContainText("Shortest password");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(field).toHaveAccessibleDescription(/a whole number from 8 to 128/);
    await expect(field).toHaveValue("3");
  });

  await test.step("saved, it holds at once", async () => {
    await field.fill("16");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Shortest password is 16.")).toBeVisible();
    await expect(page.getByText(/set by .*, just now/)).toBeVisible();
    const told = await page.request.get("/api/auth/providers");
    expect((await told.json()).passwordMinLength).toBe(16);
  });

  await test.step("one press goes back to the default", async () => {
    await page.getByRole("button", { name: /Back to the default/ }).click();
    await expect(field).toHaveValue("12");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText(/put back by .*, just now/)).toBeVisible();
  });

  await test.step("what a variable or a flag sets is shown with its place and no field", async () => {
    await page.getByRole("searchbox", { name: "Find a setting" }).fill("listen");
    await expect(page.getByText("--listen")).toBeVisible();
    await expect(page.getByLabel("Listen", { exact: true })).toHaveCount(0);
  });

  await test.step("the audit log has each old and new value", async () => {
    await page.getByRole("link", { name: "Who changed what" }).click();
    await expect(page.getByRole("row", { name: /update_system_settings/ })).toHaveCount(2);
  });
});

test("the overview answers in figures, and its chart is a table too", async ({ as, world }) => {
  const owner = await world.person("rosa.kern", "Rosa Kern");
  const group = await world.group("figures", "Figures", [owner], [], { cpu: "4", memory: "8Gi", storage: "100Gi", pods: 10 });
  const workspace = await world.workspace(owner, group, "counted");
  const page = await as(world.admin, { at: "/admin" });
  const figures = page.getByRole("region", { name: "In figures" });

  await expect(figures).toContainText(/Workspaces running\s*[1-9]/);
  await expect(figures).toContainText(/Cost this month\s*\D*\d/);
  await expect(page.getByRole("region", { name: "Capacity by node" }).getByRole("row")).toHaveCount(3);
  await page.getByRole("button", { name: "Table of Growth" }).click();
  await expect(page.getByRole("region", { name: "Growth" }).getByRole("row")).toHaveCount(31);
  await page.getByRole("group", { name: "Period", exact: true }).getByRole("button", { name: "90 days" }).click();
  await expect(page).toHaveURL(/days=90/);
  await expect(page.getByRole("region", { name: "Growth" }).getByRole("row")).toHaveCount(91);

  await test.step("its owner sees what it costs", async () => {
    const own = await as(owner, { at: `/workspaces/${workspace.id}` });
    await expect(own.getByText("This month so far")).toBeVisible();
    await own.getByText(/^If it always ran:/).click();
    await expect(own.getByText(/Networking \(10% of compute\)/)).toBeVisible();
  });

  await test.step("a quota beyond the cluster is said while it is typed, and saved all the same", async () => {
    await page.goto(`/groups/${group.id}/settings`);
    await page.getByLabel("CPU", { exact: true }).fill("90000");
    await expect(page.getByText("More than the cluster has.")).toBeVisible();
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Figures saved.")).toBeVisible();
    await page.goto("/admin");
    await expect(page.getByText("overcommitted")).toBeVisible();
  });

  await test.step("it is not for members", async () => {
    const refused = await (await as(owner)).request.get("/api/admin/stats");
    expect(refused.status()).toBe(403);
  });
});
