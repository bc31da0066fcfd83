/** What a form can say about a value before the server does. The server's rules hold; these only save a round trip. */
import { bytes, cores } from './format.js';

/** @typedef {string | false} Wrong */

/** @param {string} text @returns {Wrong} */
export const emailWrong = (text) => !/^[^\s@]+@[^\s@]+$/.test(text.trim()) && 'Write it like name@example.com.';

/** @param {string} text @returns {Wrong} */
export const loginWrong = (text) => !/^[a-z0-9][a-z0-9._-]{0,62}$/.test(text) && 'Use lower-case letters, digits, dots and dashes; begin with a letter or digit.';

/** The login an e-mail address suggests. @param {string} email */
export const loginFrom = (email) => email.split('@')[0].toLowerCase().replace(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+/, '').slice(0, 63);

/** @param {string} text @returns {Wrong} */
export const labelWrong = (text) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text) && 'Use lower-case letters, digits and dashes; begin and end with a letter or digit.';

/** @param {string} text @returns {Wrong} */
export function workspaceNameWrong(text) {
  if (!text.trim()) return 'Give it a name.';
  if (text.length > 63) return 'Use at most 63 characters.';
  return !/^[A-Za-z0-9]([A-Za-z0-9 -]*[A-Za-z0-9])?$/.test(text) && 'Use letters, digits, dashes and spaces; begin and end with a letter or digit.';
}

/** @param {string} text @returns {Wrong} */
export const cpuWrong = (text) => !(cores(String(text).trim()) > 0) && 'Write cores as a number above zero, for example 4 or 0.5.';

/** @param {string} text @returns {Wrong} */
export const sizeWrong = (text) => !(bytes(String(text).trim()) > 0 && /i$/.test(String(text).trim())) && 'Write the unit as Gi or Mi, for example 64Gi.';

/** @param {string | number} text @returns {Wrong} */
export const countWrong = (text) => !(/^\d{1,6}$/.test(String(text).trim()) && Number(text) > 0) && 'Write a whole number above zero.';

/** A name as part of an address: lower case, everything else a dash. @param {string} text */
export const slug = (text) => text.normalize('NFKD').toLowerCase().replace(/[\u0300-\u036f]/g, '').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 48);

/** A repository to clone, or nothing. @param {string} text @returns {Wrong} */
export function repositoryWrong(text) {
  const address = text.trim();
  if (!address) return false;
  if (/^https:\/\/[^/]*@/.test(address)) return 'Leave the name and the token out of the address: keep them under Git over https in your profile.';
  return !/^(https:\/\/[^/\s]+\/\S+|ssh:\/\/[^/@\s]+@[^/\s]+\/\S+|[\w.-]+@[^:/\s]+:\S+)$/.test(address) && 'Write https://host/path or git@host:path, for example https://git.example.org/team/project.git.';
}
