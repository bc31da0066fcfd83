// Somebody leaves: what they have goes to others, everything that ends is listed first, and people are told.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("a workspace is given to a colleague, who is told and starts it", async ({ as, world, allowed }) => {
  // The page hears of the change and asks for what is the giver's no more, before it leaves.
  allowed.push(/404 \(Not Found\).*\/api\/workspaces\//);
  const [giver, heir] = [await world.person("rosa.lemke", "Rosa Lemke"), await world.person("tomas.vega", "Tomas Vega")];
  const group = await world.group("harbour", "Harbour", [giver, heir]);
  const crane = await world.workspace(giver, group, "crane");
  const page = await as(giver, { at: `/workspaces/${crane.id}/settings` });

  await test.step("whom, why, and what follows are said before it is done", async () => {
    await page.getByRole("button", { name: "Give it away" }).click();
    const dialog = page.getByRole("dialog", { name: "Give crane to somebody else" });
    await expect(dialog.getByRole("radio", { name: /Rosa Lemke/ })).toBeDisabled();
    await dialog.getByRole("radio", { name: /Tomas Vega/ }).check();
    await dialog.getByLabel(/Reason/).fill("I change teams");
    await expect(dialog.getByRole("status")).toContainText("It is stopped now; tomas.vega starts it again.");
    await expect(dialog.getByRole("status")).toContainText("Its files go along");
    await expectAccessible(page, "giving a workspace away");
    await dialog.getByRole("button", { name: "Give it to Tomas Vega" }).click();
  });

  await test.step("the giver is back home, without it", async () => {
    await expect(page.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
    await expect(page.getByRole("article", { name: "crane" })).toHaveCount(0);
  });

  await test.step("the new owner finds it behind the bell, and reading counts", async () => {
    const other = await as(heir, { at: "/" });
    await other.getByRole("link", { name: /^Notices, \d+\snew/ }).click();
    const told = other.getByRole("listitem").filter({ hasText: "gave you the workspace crane of rosa.lemke in harbour" });
    await expect(told).toContainText("I change teams");
    await expect(other.getByRole("link", { name: "Notices", exact: true })).toBeVisible();
    await told.getByRole("link").click();
    await expect(other.getByRole("heading", { name: "crane", level: 1 })).toBeVisible();
    await other.getByRole("main").getByRole("button", { name: "Start", exact: true }).first().click();
    await expect(other.locator(".page-head .status")).toHaveText(/Running/);
  });
});

test("everything of a leaver is decided, listed and ended on one page", async ({ as, world }) => {
  const [leaver, stays] = [await world.person("nils.aber", "Nils Aber"), await world.person("ines.roth", "Ines Roth")];
  const group = await world.group("quay", "Quay", [leaver, stays]);
  await world.workspace(leaver, group, "ledger", { start: false });
  await world.workspace(leaver, group, "scratch", { start: false });
  const page = await as(world.admin, { at: `/admin/users/${leaver.id}` });

  await test.step("nothing can be done by accident", async () => {
    await page.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Offboard" }).click();
    await expect(page.getByRole("heading", { name: "Offboard Nils Aber", level: 1 })).toBeVisible();
    await expect(page.getByText("What they own in it comes first.")).toBeVisible();
    await expect(page.getByRole("button", { name: "Offboard Nils Aber" })).toBeDisabled();
    await expectAccessible(page, "offboarding");
  });

  await test.step("each workspace is decided, and the list says what follows", async () => {
    await page.getByRole("combobox", { name: "What becomes of ledger" }).selectOption({ label: "Give to Ines Roth" });
    await page.getByRole("combobox", { name: "What becomes of scratch" }).selectOption({ label: "Delete with its files" });
    await expect(page.getByText("ledger goes to ines.roth: its files go along.")).toBeVisible();
    await expect(page.getByText("scratch is deleted: its disk of 1 GiB goes with every file on it.")).toBeVisible();
    await expect(page.getByText("What they own in it comes first.")).toHaveCount(0);
  });

  await test.step("it is done, step by step, and nothing is left", async () => {
    await page.getByLabel(/^Reason/).fill("Leaves the company");
    await page.getByLabel(/Type nils.aber to confirm/).fill("nils.aber");
    await page.getByRole("button", { name: "Offboard Nils Aber" }).click();
    await expect(page.getByRole("alert").filter({ hasText: "Nothing of Nils Aber is left." })).toBeVisible();
    await expect(page.getByRole("img", { name: "done" })).toHaveCount(5);
    await page.reload();
    await expect(page.getByRole("heading", { name: "Nothing is left to end" })).toBeVisible();
  });

  await test.step("who got something was told why", async () => {
    const api = await world.api(stays);
    const told = (await api.call("GET", "/api/notices")).map(({ message }: { message: string }) => message);
    expect(told.some((text: string) => text.includes("gave you the workspace ledger of nils.aber") && text.includes("Leaves the company"))).toBe(true);
  });
});

test("a group says what it is for, and whoever joins is welcomed", async ({ as, world }) => {
  const [lead, member] = [await world.person("lena.frey", "Lena Frey"), await world.person("omar.said", "Omar Said")];
  const group = await world.group("lighthouse", "Lighthouse", [], [lead]);
  const page = await as(lead, { at: `/groups/${group.id}` });

  await test.step("its admin writes purpose, notes and welcome", async () => {
    await page.getByRole("button", { name: "Edit" }).click();
    const dialog = page.getByRole("dialog", { name: "About Lighthouse" });
    await dialog.getByLabel("Purpose").fill("Keeps the ships off the rocks.");
    await dialog.getByLabel("Notes").fill("Ask Lena before you stop the lamp.");
    await dialog.getByLabel("Welcome").fill("Good that you are here. Read the notes first.");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Keeps the ships off the rocks.")).toBeVisible();
  });

  await test.step("a new member is told, and reads the notes", async () => {
    const api = await world.api();
    await api.call("POST", `/api/groups/${group.id}/members`, { userId: member.id });
    await api.call("PATCH", `/api/groups/${group.id}`, { resourceQuota: { cpu: "8" }, reason: "fewer ships" });
    const other = await as(member, { at: "/notices" });
    await expect(other.getByRole("listitem").filter({ hasText: "made you a member of Lighthouse. Good that you are here. Read the notes first." })).toBeVisible();
    await expect(other.getByRole("listitem").filter({ hasText: "changed the quota of Lighthouse: cpu from 10 to 8. The reason: fewer ships" })).toBeVisible();
    await other.goto(`/groups/${group.id}`);
    await expect(other.getByText("Ask Lena before you stop the lamp.")).toBeVisible();
    await expect(other.getByRole("button", { name: "Edit" })).toHaveCount(0);
  });
});

test("many people join from a list, and each line says what becomes of it first", async ({ as, world }) => {
  const [first, second] = [await world.person("ruth.amsel", "Ruth Amsel"), await world.person("kai.brandt", "Kai Brandt")];
  const group = await world.group("shipyard", "Shipyard", [first]);
  const page = await as(world.admin, { at: `/groups/${group.id}/members` });
  await page.getByRole("button", { name: "Add several" }).click();
  const dialog = page.getByRole("dialog", { name: "Add several people to Shipyard" });
  await dialog.getByLabel("People").fill("email,role\nkai.brandt@example.org,admin\nruth.amsel,\nnobody@example.org,");
  await expect(dialog.getByRole("status")).toHaveText("1 of 3 can join.");
  await expect(dialog.getByRole("listitem").filter({ hasText: "Ruth Amsel" })).toContainText("A member already.");
  await expect(dialog.getByRole("listitem").filter({ hasText: "nobody@example.org" })).toContainText("Nobody here has this user name or e-mail address.");
  await expectAccessible(page, "adding several people");
  await dialog.getByRole("button", { name: "Add 1" }).click();
  await expect(page.getByRole("row").filter({ hasText: second.name })).toContainText("admin");
});
