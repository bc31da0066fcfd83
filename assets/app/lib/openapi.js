/**
 * Reads the OpenAPI document of the server that runs: its operations by noun, its schemas in words, an example for each
 * body, and the same call for a shell. Pure, but for fetching the document once.
 */

/**
 * @typedef {Record<string, any>} Schema
 * @typedef {{name: string, in: 'path' | 'query' | 'header', required: boolean, description?: string, schema: Schema}} Parameter
 * @typedef {object} Operation
 * @property {string} id
 * @property {string} method
 * @property {string} path
 * @property {string} summary
 * @property {string} noun
 * @property {Parameter[]} parameters
 * @property {{required: boolean, schema?: Schema, bytes: boolean} | null} body
 * @property {{status: string, description: string, kind: string, schema?: Schema}} answer
 * @property {string} action empty where it is public
 * @property {string} who who may, in words
 * @property {string} scope that an API token needs; empty where none opens it, or none is told
 * @property {string} publicBecause
 * @property {boolean} machine
 * @typedef {{name: string, slug: string, description: string, operations: Operation[]}} Noun
 * @typedef {{version: string, nouns: Noun[], schemas: Record<string, Schema>}} Api
 */

/** @type {Promise<Api> | null} */
let kept = null;

/** The API of this server, read once. @returns {Promise<Api>} */
export function theApi() {
  kept ||= fetch('/api/openapi.json', { cache: 'no-store' }).then(async (answer) => {
    if (!answer.ok) throw new Error('The server did not give its description.');
    return understood(await answer.json());
  });
  kept.catch(() => { kept = null; });
  return kept;
}

/** @param {any} document @returns {Api} */
function understood(document) {
  const all = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(/** @type {any} */ (methods)).map(([method, told]) => operation(path, method.toUpperCase(), told)));
  const nouns = document.tags.map((/** @type {any} */ tag) => ({ name: tag.name, slug: tag.name.toLowerCase().replaceAll(' ', '-'), description: tag.description, operations: all.filter(({ noun }) => noun === tag.name) }));
  return { version: document.info.version, nouns: nouns.filter((/** @type {Noun} */ noun) => noun.operations.length > 0), schemas: document.components.schemas };
}

/** @param {string} path @param {string} method @param {any} told @returns {Operation} */
function operation(path, method, told) {
  const content = told.requestBody?.content || {};
  const [status, answer] = /** @type {[string, any]} */ (Object.entries(told.responses).find(([code]) => /^[123]\d\d$/.test(code)) || ['', {}]);
  const kinds = Object.keys(answer?.content || {});
  return {
    id: told.operationId, method, path, summary: told.summary, noun: told.tags[0], parameters: told.parameters || [],
    body: told.requestBody ? { required: Boolean(told.requestBody.required), schema: content['application/json']?.schema, bytes: 'application/octet-stream' in content } : null,
    answer: { status, description: answer?.description || '', kind: kinds[0] || '', schema: answer?.content?.['application/json']?.schema },
    action: told['x-action'] || '', who: told['x-who'] || '', scope: told['x-scope'] || '', publicBecause: told['x-public-because'] || '', machine: Boolean(told.security?.some((/** @type {any} */ one) => 'machine' in one)),
  };
}

/** Follows a reference, and leaves out "or nothing". @param {Schema | undefined} schema @param {Record<string, Schema>} schemas @returns {Schema} */
export function resolve(schema, schemas) {
  if (!schema) return {};
  if (schema.$ref) return schemas[schema.$ref.split('/').pop()] || {};
  const some = (schema.oneOf || schema.anyOf || []).filter((/** @type {Schema} */ one) => one.type !== 'null');
  return some.length === 1 ? resolve(some[0], schemas) : schema;
}

/** @param {Schema} schema */
const refName = (schema) => (schema.$ref ? String(schema.$ref.split('/').pop()).replace(/(View|Body)$/, '') : '');

/** What kind of value, in words. @param {Schema | undefined} schema @param {Record<string, Schema>} schemas @returns {string} */
export function kindOf(schema, schemas) {
  if (!schema) return '';
  const real = resolve(schema, schemas);
  if (real.enum) return real.enum.filter(Boolean).map((/** @type {any} */ one) => JSON.stringify(one)).join(' or ');
  const types = [real.type || (real.properties ? 'object' : 'anything')].flat();
  const without = types.filter((type) => type !== 'null');
  const word = without.map((type) => (type === 'array' ? `list of ${kindOf(real.items, schemas) || 'anything'}` : type === 'string' && real.format === 'date-time' ? 'time' : type === 'object' && refName(schema.oneOf?.find((/** @type {Schema} */ one) => one.$ref) || schema) ? refName(schema.oneOf?.find((/** @type {Schema} */ one) => one.$ref) || schema) : type)).join(' or ');
  const empty = types.includes('null') || schema.oneOf?.some((/** @type {Schema} */ one) => one.type === 'null');
  return empty ? `${word} or null` : word;
}

/** The fields of an object, or of what a list holds. @param {Schema | undefined} schema @param {Record<string, Schema>} schemas @returns {{name: string, kind: string, required: boolean, description: string, schema: Schema}[]} */
export function fieldsOf(schema, schemas) {
  let real = resolve(schema, schemas);
  if (real.type === 'array') real = resolve(real.items, schemas);
  for (const part of real.allOf || []) real = { ...resolve(part, schemas), ...real, properties: { ...resolve(part, schemas).properties, ...real.properties } };
  return Object.entries(real.properties || {}).map(([name, one]) => ({ name, kind: kindOf(one, schemas), required: Boolean(real.required?.includes(name)), description: one.description || one.oneOf?.find((/** @type {Schema} */ part) => part.description)?.description || resolve(one, schemas).description || '', schema: one }));
}

const SAMPLES = /** @type {Record<string, any>} */ ({ cpu: '2', memory: '4Gi', storage: '20Gi', pods: 20, name: 'my-project', displayName: 'My project', email: 'ada@example.org', username: 'ada', role: 'member', type: 'start', reason: 'Asked for by its owner', groupId: 'grp_…', userId: 'usr_…', templateId: 'tpl_…', image: 'registry.example.org/team/image:1', description: 'What it is for', password: '…', token: '…' });

/** An example of a value; of an object what is required, else everything. @param {Schema | undefined} schema @param {Record<string, Schema>} schemas @param {string} [name] @param {number} [depth] @returns {any} */
export function exampleOf(schema, schemas, name = '', depth = 0) {
  const real = resolve(schema, schemas);
  if (real.example !== undefined) return real.example;
  if (real.enum) return real.enum[0];
  const type = [real.type].flat().find((one) => one !== 'null');
  const fields = fieldsOf(real, schemas);
  if (type === 'array') return depth > 3 ? [] : [exampleOf(real.items, schemas, name.replace(/s$/, ''), depth + 1)];
  if (fields.length) {
    if (depth > 3) return {};
    const must = fields.filter(({ required }) => required);
    return Object.fromEntries((must.length ? must : fields.filter((field) => field.name !== 'reason')).map((field) => [field.name, exampleOf(field.schema, schemas, field.name, depth + 1)]));
  }
  if (name in SAMPLES && (type === undefined || type === 'string' || typeof SAMPLES[name] === type || (type === 'integer' && typeof SAMPLES[name] === 'number'))) return SAMPLES[name];
  if (type === 'integer' || type === 'number') return real.minimum || 1;
  if (type === 'boolean') return true;
  if (type === 'object') return {};
  return real.format === 'date-time' ? '2026-03-12T10:20:30Z' : '…';
}

/** The address with what was filled in. @param {Operation} one @param {Record<string, string>} values */
export function addressOf(one, values) {
  const tail = one.path.endsWith('/files/{path}');
  const path = one.path.replace(/\{([^}]+)\}/g, (whole, name) => (values[`path.${name}`] ? (tail && name === 'path' ? values[`path.${name}`].split('/').map(encodeURIComponent).join('/') : encodeURIComponent(values[`path.${name}`])) : whole));
  const query = new URLSearchParams();
  for (const { name, in: place } of one.parameters) if (place === 'query' && values[`query.${name}`]) query.set(name, values[`query.${name}`]);
  return query.size ? `${path}?${query}` : path;
}

/** @param {string} text inside single quotes of a shell */
const quoted = (text) => text.replaceAll("'", `'\\''`);

/** The same call for a shell. @param {Operation} one @param {Record<string, string>} values @param {string} body */
export function curlOf(one, values, body) {
  const address = addressOf(one, values);
  const lines = [`curl${one.method === 'GET' ? '' : ` -X ${one.method}`} "${address.startsWith('/api/') ? `$API_URL/${address.slice(5)}` : `\${API_URL%/api}${address}`}"`];
  if (!one.publicBecause) lines.push(`-H "Authorization: Bearer $${one.machine ? 'CHE_MACHINE_TOKEN' : 'TOKEN'}"`);
  for (const { name, in: place } of one.parameters) if (place === 'header' && values[`header.${name}`]) lines.push(`-H '${name}: ${quoted(values[`header.${name}`])}'`);
  if (one.body?.bytes) lines.push('--data-binary @FILE');
  else if (one.body && body.trim()) lines.push('-H "Content-Type: application/json"', `-d '${quoted(body)}'`);
  return lines.join(' \\\n  ');
}
