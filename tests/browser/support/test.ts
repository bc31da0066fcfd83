// What every journey has: an installation, pages signed in as its people, and a guard on what the browser complains of.
import { test as base, expect, type BrowserContext, type BrowserContextOptions, type Page } from "@playwright/test";
import { World, type Person } from "./world.ts";

interface Options extends BrowserContextOptions {
  /** Where it begins; nothing is opened without it. */
  at?: string;
}

interface Journey {
  /** A page in a browser of its own, signed in as this person; null is somebody without a session. */
  as: (who: Person | null, options?: Options) => Promise<Page>;
  /** What the browser may complain of in this journey, for example of an answer that a test asked for. */
  allowed: RegExp[];
}

// That a session has ended is learned by asking whose it is, which is answered 401, and the browser writes that down.
const ALWAYS_ALLOWED = [/status of 401 .*\/api\/auth\/me$/];

/** Collects what the browser complains of: errors in the console, exceptions, and everything the content policy blocked. */
export async function guard(page: Page, complaints: string[]): Promise<void> {
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => complaints.push(`exception: ${error.stack ?? error.message}`));
  if (process.env.DEBUG_NET) page.on("request", (request) => /\/api\//.test(request.url()) && console.log("->", request.method(), request.url()));
  if (process.env.DEBUG_NET) page.on("response", (response) => /\/api\//.test(response.url()) && console.log("<-", response.status(), response.url()));
  await page.exposeFunction("tellPolicyViolation", (text: string) => complaints.push(`content policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      (window as any).tellPolicyViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`);
    });
  });
}

export const test = base.extend<Journey, { world: World }>({
  world: [
    async ({}, use) => {
      const world = await World.start();
      await use(world);
      await world.program.remove();
    },
    { scope: "worker", timeout: 60_000 },
  ],
  allowed: async ({}, use) => use([]),
  as: async ({ world, browser, allowed }, use) => {
    const complaints: string[] = [];
    const open: BrowserContext[] = [];
    await use(async (who, { at, ...options } = {}) => {
      const context = await browser.newContext({ baseURL: world.url, ...options });
      open.push(context);
      if (who) {
        const answer = await context.request.post("/api/auth/login", { data: { username: who.username, password: who.password, session: "cookie" }, headers: { origin: options.baseURL ?? world.url } });
        expect(answer.ok(), await answer.text()).toBe(true);
      }
      const page = await context.newPage();
      await guard(page, complaints);
      if (at) await page.goto(at);
      return page;
    });
    for (const context of open) await context.close();
    expect(complaints.filter((text) => ![...ALWAYS_ALLOWED, ...allowed].some((pattern) => pattern.test(text))), "what the browser complained of").toEqual([]);
  },
});

export { expect };
