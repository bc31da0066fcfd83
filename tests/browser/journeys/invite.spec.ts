// An invitation from both ends: an administrator makes the link, somebody without a session opens it, chooses a password
// and is home; the same link a second time says that it opens nothing any more.
import type { Page } from "@playwright/test";
import { expectAccessible, expectNamesHoldText, expectNoSidewaysScroll, expectRoomForSpacing } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

const PASSWORD = "the slow tram along the river";
const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };

/** What is shown now, wide and narrow: pictures among the results, and everything that makes it usable by everybody. */
async function look(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0); // what comes to lie under it would show its tip
  for (const size of [NARROW, WIDE]) {
    await page.setViewportSize(size);
    await page.evaluate(() => document.fonts.ready);
    const what = `${name} at ${size.width}`;
    await page.screenshot({ path: `../../target/browser/pictures/${name.replaceAll(" ", "-")}-${size.width}.png`, fullPage: true });
    await expectAccessible(page, what);
    await expectNoSidewaysScroll(page, what);
    await expectRoomForSpacing(page, what);
    await expectNamesHoldText(page, what);
  }
}

for (const theme of ["light", "dark"] as const) {
  test(`an invited person chooses a password, is home, and the link is used up, in ${theme}`, async ({ as, world, allowed }) => {
    allowed.push(/status of 400 .*\/api\/auth\/invite$/);
    test.setTimeout(180_000);
    const [name, username] = [`Quirina ${theme === "light" ? "Albrecht" : "Dorn"}`, `quirina.${theme}`];

    const link = await test.step("an administrator makes the account and its link", async () => {
      const page = await as(world.admin, { colorScheme: theme, at: "/admin/users/new" });
      await page.getByRole("textbox", { name: /^Name/ }).fill(name);
      await page.getByRole("textbox", { name: "E-mail" }).fill(`${username}@example.org`);
      await page.getByRole("radio", { name: /invitation link/ }).check();
      await expect(page.getByRole("textbox", { name: "Temporary password" })).toHaveCount(0);
      await page.getByRole("button", { name: "Create user" }).click();
      await expect(page.getByRole("heading", { level: 1, name: "The account is there" })).toBeVisible();
      const told = page.locator(".secret", { hasText: "/invite#" });
      await expect(told).toBeVisible();
      await look(page, `invitation link ${theme}`);
      const link = (await told.innerText()).trim();
      await page.getByRole("link", { name: "Open the account" }).click();
      await expect(page.getByText(/The link works once, until/)).toBeVisible();
      await look(page, `invited user ${theme}`);
      return link;
    });

    const invited = await as(null, { colorScheme: theme, at: link });
    await test.step("who opens it is asked for a password, and told what is wrong with a bad one", async () => {
      await expect(invited.getByRole("heading", { level: 1, name: "Welcome to Codex Web" })).toBeVisible();
      await expect(invited.getByLabel("Password", { exact: true })).toBeFocused();
      await look(invited, `invitation ${theme}`);
      await invited.getByLabel("Password", { exact: true }).fill("too short");
      await invited.getByLabel("Password again").fill("too shorn");
      await invited.getByRole("button", { name: "Set password and sign in" }).click();
      await expect(invited.getByText("Use at least 12 characters.")).toBeVisible();
      await expect(invited.getByText("This differs from the line above.")).toBeVisible();
      await expect(invited.getByText("Correct 2 fields.")).toBeVisible();
      await look(invited, `invitation with a bad password ${theme}`);
      // What only the server refuses stands at its field too, and does not use the link up.
      await invited.getByLabel("Password", { exact: true }).fill(`${username}@example.org`);
      await invited.getByLabel("Password again").fill(`${username}@example.org`);
      await invited.keyboard.press("Enter");
      await expect(invited.getByRole("textbox", { name: "Password", exact: true })).toHaveAttribute("aria-invalid", "true");
    });

    await test.step("the password is set, and home is shown", async () => {
      await invited.getByLabel("Password", { exact: true }).fill(PASSWORD);
      await invited.getByLabel("Password again").fill(PASSWORD);
      await invited.getByRole("button", { name: "Set password and sign in" }).click();
      await expect(invited.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
      await expect(invited).toHaveURL(/\/$/);
      await expect(invited.getByText("You are in no group yet")).toBeVisible();
      const me = await (await invited.request.get("/api/auth/me")).json();
      expect(me.user).toMatchObject({ username, name, mustChangePassword: false });
    });

    await test.step("the link is used up, and says so", async () => {
      const second = await as(null, { colorScheme: theme, at: link });
      await second.getByLabel("Password", { exact: true }).fill("somebody else's long password");
      await second.getByLabel("Password again").fill("somebody else's long password");
      await second.keyboard.press("Enter");
      await expect(second.getByRole("heading", { level: 1, name: "This invitation does not work" })).toBeVisible();
      await expect(second.getByRole("alert")).toContainText("wrong, used or too old");
      await expect(second.getByRole("textbox")).toHaveCount(0);
      await look(second, `used invitation ${theme}`);
      // Another link in the same tab is a new beginning, and one without its end says what is missing.
      await second.evaluate(() => { location.hash = ""; });
      await expect(second.getByRole("heading", { level: 1, name: "This invitation is cut off" })).toBeVisible();
      await look(second, `cut off invitation ${theme}`);
      await second.getByRole("link", { name: "Sign in" }).click();
      await second.getByLabel("User name or e-mail").fill(username);
      await second.getByLabel("Password", { exact: true }).fill(PASSWORD);
      await second.getByRole("button", { name: "Sign in" }).click();
      await expect(second.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
    });
  });
}
