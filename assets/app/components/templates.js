/** The templates, and the icon of one. */
import { useQuery } from '../lib/query.js';

const SHIPPED = new Set(['square-terminal', 'terminal', 'box', 'container', 'database', 'coffee', 'hexagon', 'notebook-pen', 'book-open', 'cpu', 'layers', 'code']);

/** @param {string | undefined} name the template's own word for its icon @param {string} [kind] */
export const templateIcon = (name, kind) => (name && SHIPPED.has(name) ? name : kind === 'image' ? 'container' : 'square-terminal');

/** The apps of a template whose programs are not there yet. @param {import('../lib/types.js').Template | undefined} template */
export const notInstalled = (template) => template?.apps?.filter(({ installed }) => installed === false) || [];

/** The templates by their id; an empty map until they are there. @returns {{list: import('../lib/types.js').Template[] | undefined, by: Map<string, import('../lib/types.js').Template>, error: any, reload: () => void}} */
export function useTemplates() {
  const { data, error, reload } = useQuery('/api/templates', ['template']);
  return { list: data, by: new Map(data?.map((/** @type {any} */ template) => [template.id, template])), error, reload };
}
