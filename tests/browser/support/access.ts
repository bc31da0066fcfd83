// What makes a page usable by everybody, as checks. Each goes on after a fault, so that one run tells of all pages.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** axe finds nothing, by the rules of WCAG 2.0 to 2.2, A and AA, and its own best practices. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  const told = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary?.replaceAll("\n", " ")}`));
  expect.soft(told, `axe on ${what}`).toEqual([]);
}

/** Nothing is wider than the window, apart from what scrolls in a frame of its own. */
export async function expectNoSidewaysScroll(page: Page, what: string): Promise<void> {
  const over = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const inFrame = (element: Element | null): boolean => !!element && element !== document.body && (getComputedStyle(element).overflowX !== "visible" || inFrame(element.parentElement));
    const wide = [...document.querySelectorAll<HTMLElement>("body *")].filter((element) => {
      const box = element.getBoundingClientRect();
      return box.width > 0 && box.right > width + 1 && getComputedStyle(element).position !== "fixed" && !inFrame(element.parentElement);
    });
    return [`${document.documentElement.scrollWidth} in ${width}`, ...wide.slice(0, 5).map((element) => `${element.tagName}.${element.className} "${element.innerText?.slice(0, 40)}"`)];
  });
  expect.soft(over, `wider than the window: ${what}`).toEqual([]);
}

/** The text of a control is part of its accessible name, so that it can be said. */
export async function expectNamesHoldText(page: Page, what: string): Promise<void> {
  const wrong = await page.evaluate(() => {
    const flat = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
    return [...document.querySelectorAll<HTMLElement>("a[aria-label], button[aria-label], [role=button][aria-label]")]
      .filter((element) => element.checkVisibility() && flat(element.innerText).length > 1 && !flat(element.ariaLabel ?? "").includes(flat(element.innerText)))
      .map((element) => `"${element.innerText}" is called "${element.ariaLabel}"`);
  });
  expect.soft(wrong, `names on ${what}`).toEqual([]);
}

/** The text spacing of WCAG 1.4.12 cuts nothing off and makes nothing overlap sideways. */
export async function expectRoomForSpacing(page: Page, what: string): Promise<void> {
  const handle = await page.evaluateHandle(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("body :not(.xterm, .xterm *) { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-bottom: 2em !important }");
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    return sheet;
  });
  await expectNoSidewaysScroll(page, `${what}, with wide text spacing`);
  const cut = await page.evaluate(() => {
    const controls = [...document.querySelectorAll<HTMLElement>("main button, main .btn, main h1, main h2, main label, main .badge, main .tabs a")];
    return controls
      .filter((element) => element.checkVisibility() && element.innerText.trim() && element.scrollHeight > element.clientHeight + 2 && element.clientHeight > 0 && getComputedStyle(element).overflowY !== "visible" && !element.closest(".cut, .sr, .table-scroll"))
      .map((element) => `${element.tagName}.${element.className} "${element.innerText.slice(0, 40)}"`);
  });
  expect.soft(cut, `cut off by wide text spacing: ${what}`).toEqual([]);
  await handle.evaluate((sheet) => { document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet); });
}

/** What has the focus can be seen: it has a ring, and no bar lies over it. */
export async function expectFocusSeen(page: Page): Promise<string> {
  const found = await page.evaluate(() => {
    let element = document.activeElement as HTMLElement | null;
    if (!element || element === document.body) return { name: "nothing", ring: true, hidden: "" };
    const name = `${element.tagName.toLowerCase()} "${(element.ariaLabel || element.innerText || (element as HTMLInputElement).name || "").slice(0, 40)}"`;
    if (element.matches("iframe, .xterm-helper-textarea, main")) return { name, ring: true, hidden: "" };
    const box = element.getBoundingClientRect();
    // A control that is drawn by its label has its ring there.
    const drawn = [element, element.closest("label"), element.parentElement].filter((one) => one !== null);
    const ring = drawn.some((one) => {
      const style = getComputedStyle(one);
      return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow.includes("0px 0px 0px");
    });
    const inside = box.width > 0 && box.height > 0;
    const at = inside ? document.elementFromPoint(Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 1), box.top + Math.min(box.height / 2, 12)) : null;
    const bar = at?.closest(".top, .bar-bottom");
    const hidden = !inside || (box.bottom > 0 && box.top < innerHeight && !(bar && !bar.contains(element))) ? "" : bar ? `under ${bar.className}` : "outside the window";
    return { name, ring, hidden };
  });
  expect(found.ring, `the focus on ${found.name} is seen`).toBe(true);
  expect(found.hidden, `the focus on ${found.name} is not covered`).toBe("");
  return found.name;
}
