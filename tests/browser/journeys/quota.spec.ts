// A quota that is full: refused in words, with a way out.
import { expect, test } from "../support/test.ts";

test("what does not fit is said before it is tried, with numbers and a size that fits", async ({ as, world, allowed }) => {
  allowed.push(/status of 409/);
  const owner = await world.person("ines.duarte", "Ines Duarte");
  const group = await world.group("risk", "Risk", [owner], [], { cpu: "2", memory: "4Gi", storage: "100Gi", pods: 3 });
  await world.workspace(owner, group, "steady", { resources: { cpu: "1", memory: "2Gi", storage: "20Gi" } });
  const page = await as(owner, { at: `/workspaces/new?group=${group.id}` });
  const fits = page.getByRole("region", { name: "Whether it fits" });

  await test.step("the chosen size does not fit: the panel says by how much", async () => {
    await page.getByLabel("Name", { exact: true }).fill("too-large");
    await page.getByRole("radio", { name: /Medium/ }).check();
    await expect(fits).toContainText("Does not fit in Risk");
    await expect(fits).toContainText(/It asks for 2\scores; 1\score is left of 2\scores\./);
    const create = fits.getByRole("button", { name: "Create workspace" });
    await expect(create).toHaveAttribute("aria-disabled", "true");
    await expect(create).toHaveAccessibleDescription("It does not fit. Choose a size that fits.");
  });

  await test.step("sizes say themselves which of them fits", async () => {
    const sizes = page.getByRole("radiogroup", { name: "Size" });
    await expect(sizes.locator("label", { hasText: "Small" })).toContainText("Fits");
    await expect(sizes.locator("label", { hasText: "Medium" })).toContainText("Does not fit");
  });

  await test.step("one press takes the size that fits", async () => {
    await fits.getByRole("button", { name: "Use Small" }).click();
    await expect(page.getByRole("radio", { name: /Small/ })).toBeChecked();
    await expect(fits).toContainText("Fits in Risk");
    await page.getByLabel("Name", { exact: true }).fill("steady");
    await fits.getByRole("button", { name: "Create workspace" }).click();
    await expect(page.getByLabel("Name", { exact: true })).toHaveAccessibleDescription(/taken|already|another/); // the server's word, at the field
    await page.getByLabel("Name", { exact: true }).fill("fitting");
    await fits.getByRole("button", { name: "Create workspace" }).click();
    await expect(page.getByRole("heading", { name: "fitting", level: 1 })).toBeVisible();
    await expect(page.locator(".page-head .status")).toHaveText(/Running/);
  });

  await test.step("a start that does not fit is off, with the reason, until something was stopped", async () => {
    const waiting = await world.workspace(owner, group, "waiting", { start: false, resources: { cpu: "1", memory: "1Gi", storage: "1Gi" } });
    await page.goto(`/workspaces/${waiting.id}`);
    const start = page.getByRole("main").getByRole("button", { name: "Start", exact: true }).first();
    await expect(start).toHaveAttribute("aria-disabled", "true");
    await expect(start).toHaveAccessibleDescription(/risk.*cores?/i);
    await expect(page.getByText(/^Start is off: risk has .*it needs/i)).toBeVisible();
    await page.goto("/");
    const off = page.getByRole("article", { name: "waiting" });
    await expect(off.getByText(/^Start is off: risk has .*it needs/i)).toBeVisible();
    await expect(off.getByRole("button", { name: "Start" })).toHaveAttribute("aria-disabled", "true");
    const steady = page.getByRole("article", { name: "steady" });
    await steady.getByRole("button", { name: "Stop" }).click();
    await expect(steady.locator(".status")).toHaveText(/Stopped/);
    const card = page.getByRole("article", { name: "waiting" });
    await expect(card.getByText(/^Start is off/)).toBeHidden();
    await card.getByRole("button", { name: "Start" }).click();
    await expect(card.locator(".status")).toHaveText(/Running/);
  });

  await test.step("the group page shows how full it is", async () => {
    await page.goto(`/groups/${group.id}`);
    await expect(page.getByRole("meter", { name: "CPU" }).first()).toHaveAttribute("aria-valuetext", /^CPU: 2 of 2 cores/);
  });
});
