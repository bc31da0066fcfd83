/** Parts that are fetched when they are first shown. */
import { h, useEffect, useState } from '../lib/html.js';

/** @type {Map<any, any>} */
const there = new Map();

/** Waits until something can be read: a slow machine or line must not share its time with what nobody sees yet. @param {() => void} then */
export function afterFirstPaint(then) {
  const painted = new PerformanceObserver((entries) => {
    if (!entries.getEntriesByName('first-contentful-paint').length) return;
    painted.disconnect();
    then();
  });
  painted.observe({ type: 'paint', buffered: true });
}

/**
 * A part that is fetched when it is first shown.
 * @param {{load: () => Promise<any>, part: string, meanwhile?: any, calm?: boolean, [more: string]: any}} props meanwhile: what stands there until then; calm: it is fetched after the first paint
 */
export function Late({ load, part, meanwhile = null, calm = false, ...props }) {
  const [, again] = useState(0);
  const module = there.get(load);
  useEffect(() => {
    if (module) return;
    // It may have come between the drawing and now, for another part of the same file.
    const fetched = () => (there.has(load) ? Promise.resolve() : load().then((found) => { there.set(load, found); })).then(() => again((n) => n + 1));
    if (calm) afterFirstPaint(fetched);
    else fetched();
  }, [load]);
  return module ? h(module[part], props) : meanwhile;
}
