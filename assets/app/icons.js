/**
 * The icons, brought into the page once: so they are there at once, also on pages that are drawn while the server is
 * away. A module of its own so that it runs early; it imports nothing.
 */

const request = new XMLHttpRequest();
request.open('GET', '/vendor/icons.svg');
request.responseType = 'document'; // parsed by the browser: the policy allows no markup from text
request.onload = () => {
  const sprite = request.responseXML?.documentElement;
  if (request.status !== 200 || !sprite) return;
  const own = /** @type {SVGSVGElement} */ (/** @type {unknown} */ (document.importNode(sprite, true)));
  own.setAttribute('aria-hidden', 'true');
  own.classList.add('sprite');
  for (const symbol of own.querySelectorAll('symbol')) symbol.id = `icon-${symbol.id}`;
  document.body.prepend(own);
};
request.send();
