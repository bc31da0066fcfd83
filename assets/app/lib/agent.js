/** Names the program behind a User-Agent header, as far as people care. */

/** "Firefox on Linux". @param {string | null} [agent] */
export function browserOf(agent) {
  const text = agent || '';
  const browser = /Edg\//.test(text) ? 'Edge' : /Firefox\//.test(text) ? 'Firefox' : /Chrome\//.test(text) ? 'Chrome' : /Safari\//.test(text) ? 'Safari' : text.split(/[\s/]/)[0] || 'Unknown program';
  const system = /Windows/.test(text) ? 'Windows' : /Android/.test(text) ? 'Android' : /iPhone|iPad/.test(text) ? 'iOS' : /Mac OS X/.test(text) ? 'macOS' : /Linux/.test(text) ? 'Linux' : '';
  return system ? `${browser} on ${system}` : browser;
}
