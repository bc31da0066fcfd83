// Another size for a workspace that runs: it is checked while one types, and the page says whether it holds already.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("a workspace gets another size, and the page says when it holds", async ({ as, world }) => {
  const owner = await world.person("bruno.sauer", "Bruno Sauer");
  const group = await world.group("sizes", "Sizes", [owner], [], { cpu: "3", memory: "4Gi", storage: "50Gi" });
  const workspace = await world.workspace(owner, group, "grows");
  const api = await world.api(owner);
  const look = () => api.call("GET", `/api/workspaces/${workspace.id}`);
  const page = await as(owner, { at: `/workspaces/${workspace.id}/settings` });
  const field = (name: string) => page.getByRole("textbox", { name, exact: true });

  await test.step("what does not fit, or would shrink the disk, is said before anything is sent", async () => {
    await field("Memory").fill("8Gi");
    await expect(page.getByText("Does not fit in Sizes.")).toBeVisible();
    await field("Memory").fill("1Gi");
    await field("Disk").fill("512Mi");
    await page.getByRole("button", { name: "Resize" }).click();
    await expect(field("Disk")).toHaveAccessibleDescription(/A disk can only grow; this one has 1.GiB/);
    await expect(field("Disk")).toBeFocused();
    await expectAccessible(page, "a size that cannot be");
  });

  await test.step("what fits is said too, and taken", async () => {
    await field("CPU").fill("2");
    await field("Memory").fill("2Gi");
    await field("Disk").fill("2Gi");
    await expect(page.getByText("Fits in Sizes.")).toBeVisible();
    await page.getByRole("button", { name: "Resize" }).click();
    await expect(page.getByText(/grows is to have 2.cores,.2.GiB/)).toBeVisible();
    expect((await look()).resources).toEqual({ cpu: "2", memory: "2Gi", storage: "2Gi" });
  });

  // Which of both depends on whether this machine lets the server limit a whole workspace.
  const told = async () => (await api.call("GET", `/api/workspaces/${workspace.id}/timeline`)).map(({ code }: { code: string }) => code).find((code: string) => ["resized", "resize_waits"].includes(code)) ?? "not yet";
  await expect.poll(told).not.toBe("not yet");
  const waits = (await told()) === "resize_waits";
  test.info().annotations.push({ type: "resize", description: waits ? "from the next start" : "at once" });

  if (waits) {
    await test.step("it waits: the page says with what it still runs, and a restart ends that", async () => {
      await expect(page.getByText("The new size waits.")).toBeVisible();
      await expect(page.getByText(/It still runs with 1 core and 1 GiB of memory/)).toBeVisible();
      await expectAccessible(page, "a size that waits");
      await page.screenshot({ path: "../../target/browser/pictures/resize-waits.png" });
      await page.getByRole("button", { name: "Restart now" }).click();
      await expect(page.getByText("The new size waits.")).toHaveCount(0, { timeout: 30_000 });
      await world.until(workspace.id, "running");
    });
  } else {
    await test.step("it holds at once: the timeline says so, and nothing waits", async () => {
      await expect(page.getByText("The new size waits.")).toHaveCount(0);
      await page.screenshot({ path: "../../target/browser/pictures/resize-holds.png" });
      await page.goto(`/workspaces/${workspace.id}/timeline`);
      await expect(page.getByText("The new size is in force.")).toBeVisible();
    });
  }

  await test.step("either way it runs with the new size now", async () => {
    await expect.poll(async () => (await look()).appliedResources, { timeout: 30_000 }).toEqual({ cpu: "2", memory: "2Gi", storage: "2Gi" });
    await page.goto(`/workspaces/${workspace.id}`);
    const rail = page.getByRole("complementary").filter({ hasText: "In use" });
    await expect(rail).toContainText(/2.cores/);
    await expect(rail).toContainText(/of 2.GiB/);
    await expect(rail.getByText("new size waits")).toHaveCount(0);
  });
});
