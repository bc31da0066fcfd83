// Accounts that end, that are invited again, that come from a list, and sign-ins that an administrator ends.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("an administrator gives an account an end and a manager, and signs it out in one place", async ({ as, world }) => {
  const [person, lead] = [await world.person("rune.dahl", "Rune Dahl"), await world.person("mira.holt", "Mira Holt")];
  const theirs = await as(person, { at: "/" });
  const page = await as(world.admin, { at: `/admin/users/${person.id}` });
  const term = page.locator("section", { has: page.getByRole("heading", { name: "End date and manager" }) });

  await test.step("the end", async () => {
    await term.getByRole("button", { name: "Change the end date" }).click();
    const dialog = page.getByRole("dialog", { name: /When does the account/ });
    const soon = new Date(Date.now() + 5 * 86_400_000).toISOString().slice(0, 10);
    await dialog.getByLabel(/First day without it/).fill(soon);
    await expectAccessible(page, "the end of an account");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(term).toContainText(/in\s5\sdays/);
  });
  await test.step("the manager", async () => {
    await term.getByRole("button", { name: "Change the manager" }).click();
    const dialog = page.getByRole("dialog", { name: /Who answers for/ });
    await dialog.getByRole("searchbox").fill("mira");
    await dialog.getByRole("radio", { name: /Mira Holt/ }).check();
    await expectAccessible(page, "the manager of an account");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(term.getByRole("link", { name: "Mira Holt" })).toHaveAttribute("href", `/admin/users/${lead.id}`);
  });
  await test.step("one sign-in is ended", async () => {
    const card = page.locator("section", { has: page.getByRole("heading", { name: "Signed in" }) });
    const before = await card.getByRole("listitem").count();
    await card.getByRole("button", { name: /^Sign out/ }).first().click();
    await expectAccessible(page, "ending a sign-in");
    await page.getByRole("dialog").getByRole("button", { name: "Sign out", exact: true }).click();
    await expect(card.getByRole("listitem")).toHaveCount(before - 1);
  });
  await theirs.close();
});

test("an invitation is made anew, withdrawn, and then there is no way in", async ({ as, world, request }) => {
  const made = await (await world.api()).call("POST", "/api/admin/users", { email: "tilda.roos@example.org", name: "Tilda Roos" });
  const page = await as(world.admin, { at: `/admin/users/${made.id}` });
  const redeem = (link: string) => request.post(`${world.url}/api/auth/invite`, { headers: { origin: world.url }, data: { code: link.split("#")[1], password: "not long", session: "cookie" } });

  await expect(page.getByText(/The link works once/)).toBeVisible();
  await page.getByRole("button", { name: "New link" }).click();
  const dialog = page.getByRole("dialog", { name: /Hand this link/ });
  const link = (await dialog.locator(".secret").innerText()).trim();
  await expectAccessible(page, "a new invitation");
  await dialog.getByRole("button", { name: "Done" }).click();
  const told = async (address: string) => JSON.stringify(await (await redeem(address)).json());
  expect(await told(made.invitation.link)).toContain("wrong, used or too old");
  expect(await told(link)).toContain("password");
  await page.getByRole("button", { name: "Withdraw" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
  await expect(page.getByText("No way in yet.")).toBeVisible();
  expect(await told(link)).toContain("wrong, used or too old");
});

test("a list is checked row by row, corrected, and made as a whole", async ({ as, world, allowed }) => {
  allowed.push(/status of 400 .*user-imports/); // the list that is not understood
  await world.group("newcomers", "Newcomers", []);
  const page = await as(world.admin, { at: "/admin/users" });
  await page.getByRole("link", { name: "Import" }).click();
  const rows = page.getByLabel("Rows");

  await test.step("a first line that is not understood is refused with a hint", async () => {
    await rows.fill("emial,name\nida.moe@example.org,Ida Moe\n");
    await page.getByRole("button", { name: "Check the list" }).click();
    await expect(page.getByRole("alert")).toContainText("Did you mean email?");
  });
  await test.step("each wrong row says what is wrong, and nothing can be made", async () => {
    await rows.fill("email,name,groups\nida.moe@example.org,Ida Moe,newcomers\nnobody,Somebody,\n");
    await page.getByRole("button", { name: "Check the list" }).click();
    await expect(page.getByRole("status").filter({ hasText: "cannot be made" })).toContainText(/1\srow of 2/);
    await expect(page.getByRole("listitem").filter({ hasText: "Write it as name@domain" })).toBeVisible();
    await expect(page.getByRole("button", { name: /^Make/ })).toHaveAttribute("aria-disabled", "true");
    await expectAccessible(page, "a list with a wrong row");
  });
  await test.step("corrected, all are made, each with a link", async () => {
    await rows.fill("email,name,groups\nida.moe@example.org,Ida Moe,newcomers\nkai.lund@example.org,Kai Lund,\n");
    await page.getByRole("button", { name: "Check the list" }).click();
    await expect(page.getByText("Every row can be made.")).toBeVisible();
    await page.getByRole("button", { name: /^Make/ }).click();
    await expect(page.getByRole("heading", { level: 1, name: "The accounts are there" })).toBeVisible();
    await expect(page.getByRole("listitem").filter({ hasText: "ida.moe@example.org" })).toContainText("/invite#cxc_");
    await expectAccessible(page, "the invitations of a list");
    const people = await (await world.api()).call("GET", "/api/admin/users?search=kai.lund");
    expect(people.items).toHaveLength(1);
  });
});
