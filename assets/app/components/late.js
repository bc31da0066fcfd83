/** A part that is fetched when it is first shown. */
import { h, useEffect, useState } from '../lib/html.js';

/** @type {Map<any, any>} */
const there = new Map();

/** @param {{load: () => Promise<any>, part: string, meanwhile?: any, [more: string]: any}} props meanwhile: what stands there until then */
export function Late({ load, part, meanwhile = null, ...props }) {
  const [, again] = useState(0);
  useEffect(() => { if (!there.has(load)) load().then((module) => { there.set(load, module); again((n) => n + 1); }); }, [load]);
  const module = there.get(load);
  return module ? h(module[part], props) : meanwhile;
}
