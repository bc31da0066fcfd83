// Who somebody is at git servers: the SSH key that is made for them, and tokens for git over https.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("an SSH key is made, copied and replaced, and the old one is gone", async ({ as, world }) => {
  const person = await world.person("ilse.brandt", "Ilse Brandt");
  const page = await as(person, { at: "/profile" });
  const card = page.locator("section", { has: page.getByRole("heading", { name: "SSH key" }) });
  const told = async () => (await world.api(person)).call("GET", "/api/users/me/ssh-key");

  await test.step("nobody has one unasked", async () => {
    await expect(card).toContainText("No SSH key yet");
    expect((await told()).publicKey).toBeNull();
  });
  await test.step("one press makes it, and shows what the server has", async () => {
    await card.getByRole("button", { name: "Make a key" }).click();
    await expect(card.getByRole("region", { name: "Public key" })).toContainText(/^ssh-ed25519 AAAA/);
    const { publicKey, fingerprint } = await told();
    await expect(card.getByRole("region", { name: "Public key" })).toHaveText(publicKey);
    await expect(card).toContainText(fingerprint);
  });
  await test.step("its public part is copied whole", async () => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await card.getByRole("button", { name: "Copy the public key" }).click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe((await told()).publicKey);
  });
  await test.step("replacing it says what stops working, and can be left", async () => {
    const before = (await told()).fingerprint;
    await card.getByRole("button", { name: "Replace" }).click();
    const dialog = page.getByRole("dialog", { name: "Replace the SSH key?" });
    await expect(dialog).toContainText("refuses you until you add the new one there");
    await expectAccessible(page, "replacing the key");
    await dialog.getByRole("button", { name: "Keep it" }).click();
    expect((await told()).fingerprint).toBe(before);
    await card.getByRole("button", { name: "Replace" }).click();
    await dialog.getByRole("button", { name: "Replace the key" }).click();
    await expect(card).not.toContainText(before);
    const after = (await told()).fingerprint;
    expect(after).not.toBe(before);
    await expect(card).toContainText(after);
  });
});

test("tokens for git servers are added, corrected, replaced and removed, and never shown", async ({ as, world }) => {
  const person = await world.person("joost.visser", "Joost Visser");
  const page = await as(person, { at: "/profile" });
  const card = page.locator("section", { has: page.getByRole("heading", { name: "Git over https" }) });
  const hosts = async () => (await (await world.api(person)).call("GET", "/api/users/me/git-credentials")).map(({ host, username }: any) => `${username}@${host}`);

  await test.step("every wrong field is said at once", async () => {
    await card.getByRole("button", { name: "Add a git server" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a git server" });
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog.getByText("Correct 3 fields.")).toBeVisible();
    await expect(dialog.getByLabel("Server")).toBeFocused();
    await expectAccessible(page, "adding a git server");
  });
  await test.step("a pasted address becomes the server's name", async () => {
    const dialog = page.getByRole("dialog", { name: "Add a git server" });
    await dialog.getByLabel("Server").fill("https://git.example.org/team/project.git");
    await dialog.getByLabel("User name there").fill("piet");
    await dialog.getByLabel("Token", { exact: true }).fill("token-that-nobody-reads");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog).toBeHidden();
    await expect(card.getByRole("listitem")).toContainText("git.example.org");
    expect(await hosts()).toEqual(["piet@git.example.org"]);
    await expect(page.locator("body")).not.toContainText("token-that-nobody-reads");
  });
  await test.step("the same server twice is refused before it is sent", async () => {
    await card.getByRole("button", { name: "Add", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Add a git server" });
    await dialog.getByLabel("Server").fill("git.example.org");
    await dialog.getByLabel("User name there").fill("other");
    await dialog.getByLabel("Token", { exact: true }).fill("x");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog.getByLabel("Server")).toHaveAccessibleDescription(/There is one for this server already/);
    await page.keyboard.press("Escape");
  });
  await test.step("a token is replaced, and removed with what that means", async () => {
    await card.getByRole("button", { name: "Actions for git.example.org" }).click();
    await page.getByRole("menuitem", { name: "Replace the token" }).click();
    const dialog = page.getByRole("dialog", { name: "Replace the token for git.example.org" });
    await dialog.getByLabel("User name there").fill("joost.visser");
    await dialog.getByLabel("Token", { exact: true }).fill("another-token");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(card.getByRole("listitem")).toContainText("joost.visser");
    await card.getByRole("button", { name: "Actions for git.example.org" }).click();
    await page.getByRole("menuitem", { name: "Remove" }).click();
    await expect(page.getByRole("dialog")).toContainText("can no longer fetch private repositories from git.example.org");
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await expect(card).toContainText("No git server yet");
    expect(await hosts()).toEqual([]);
  });
});
