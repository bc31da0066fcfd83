// Typing in a terminal and reading what stands on its screen.
import { expect, type Locator, type Page } from "@playwright/test";

/** The screen that is shown. */
export const screen = (page: Page): Locator => page.locator(".term-screen:not([hidden]) .xterm-rows");

/** The terminal is connected. */
export async function connected(page: Page): Promise<void> {
  await expect(page.locator(".term-foot")).toContainText("Connected");
  await expect(screen(page)).toContainText(/[$#]/);
}

/** Types a line as a person does, and sends it. */
export async function enter(page: Page, line: string): Promise<void> {
  await page.locator(".term-screen:not([hidden]) .xterm-helper-textarea").focus();
  await page.keyboard.insertText(line);
  await page.keyboard.press("Enter");
}

/** Runs a command and waits for this in its output. */
export async function run(page: Page, line: string, shows: string | RegExp): Promise<void> {
  await enter(page, line);
  await expect(screen(page)).toContainText(shows);
}
