// Signing in as a person does, on the page that is shown.
import { expect, type Page } from "@playwright/test";
import type { Person } from "./world.ts";

/** Fills the form in and waits until the person is in: whoever leaves the page before has no session. */
export async function signIn(page: Page, who: Person, patience = 30_000): Promise<void> {
  await expect(page.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible({ timeout: patience });
  await page.getByLabel("User name or e-mail").fill(who.username);
  await page.getByLabel("Password", { exact: true }).fill(who.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("navigation").getByRole("link", { name: "Home" }).first()).toBeVisible({ timeout: patience });
}
