/**
 * The icons, brought into the page once: so they are there at once, also on pages that are drawn while the server is
 * away. Those that the home page shows at once come first, the others with another page or when there is time.
 * A module of its own so that it runs early; it imports nothing.
 */

/** @type {Set<string>} */
const asked = new Set();

/** @param {'icons' | 'icons-more'} sheet */
export function loadIcons(sheet) {
  if (asked.has(sheet)) return;
  asked.add(sheet);
  const request = new XMLHttpRequest();
  request.open('GET', new URL(`../vendor/${sheet}.svg`, import.meta.url));
  request.responseType = 'document'; // parsed by the browser: the policy allows no markup from text
  request.onerror = () => asked.delete(sheet);
  request.onload = () => {
    const sprite = request.responseXML?.documentElement;
    if (request.status !== 200 || !sprite) { asked.delete(sheet); return; }
    const own = /** @type {SVGSVGElement} */ (/** @type {unknown} */ (document.importNode(sprite, true)));
    own.setAttribute('aria-hidden', 'true');
    own.classList.add('sprite');
    for (const symbol of own.querySelectorAll('symbol')) symbol.id = `icon-${symbol.id}`;
    document.body.prepend(own);
  };
  request.send();
}

loadIcons('icons');
