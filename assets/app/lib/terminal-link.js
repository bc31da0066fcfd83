/**
 * One terminal session over a WebSocket: bytes both ways, acknowledged as they are drawn, so that a flood is slowed at
 * its source; after a lost connection exactly the missed bytes come.
 */
import { get, post } from './api.js';
import { reasonOf } from './entering.js';

/** @typedef {{phase: 'connecting' | 'open' | 'lost' | 'ended', tries: number, code?: string, message?: string, delay?: number}} LinkState */

const ACK_EVERY = 65_536; // bytes
const GIVE_UP = 8; // tries, then a button

export class TerminalLink {
  /** @param {string} workspace @param {string} session @param {import('../../vendor/xterm.mjs').Terminal} term @param {(state: LinkState) => void} tell */
  constructor(workspace, session, term, tell) {
    this.workspace = workspace;
    this.session = session;
    this.term = term;
    this.tell = tell;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.received = 0;
    this.acked = 0;
    this.tries = 0;
    this.timer = 0;
    this.closed = false;
    this.ctrl = false; // the touch row's Ctrl waits for a key
    this.sentAt = 0;
    this.reason = /** @type {string | undefined} */ (undefined); // why somebody else's is entered
    this.started = 0; // when the session began, which tells it from another one of the same name
    this.own = { cols: term.cols, rows: term.rows }; // what fits here
    this.shared = this.own; // what the session has: the smallest of all that look at it
    /** @type {LinkState} */
    this.state = { phase: 'connecting', tries: 0 };
  }

  /** @param {Partial<LinkState>} change */
  say(change) {
    this.state = { ...this.state, ...change };
    if (!this.closed) this.tell(this.state);
  }

  open() {
    clearTimeout(this.timer);
    if (this.closed || (this.socket && this.socket.readyState <= 1)) return;
    this.say({ phase: this.tries ? 'lost' : 'connecting', tries: this.tries });
    this.reason ||= reasonOf(this.workspace);
    if (this.reason) this.openWith(this.reason);
    else this.connect();
  }

  /** Into somebody else's workspace: the reason is said for a ticket, and the socket shows the ticket. @param {string} reason */
  async openWith(reason) {
    try {
      const { ticket } = await post(`/api/workspaces/${this.workspace}/tickets`, { for: 'terminal', reason });
      if (!this.closed && !this.socket) this.connect(ticket);
    } catch (error) {
      const { status, message } = /** @type {any} */ (error);
      if (status === 401 || status === 403 || status === 404) this.end('revoked', message);
      else this.lost();
    }
  }

  /** @param {string} [ticket] */
  connect(ticket) {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = this.socket = new WebSocket(`${scheme}://${location.host}/api/workspaces/${this.workspace}/terminal?session=${this.session}&cols=${this.own.cols}&rows=${this.own.rows}${this.started ? `&since=${this.received}&started=${this.started}` : ''}${ticket ? '&auth=ticket' : ''}`);
    socket.binaryType = 'arraybuffer';
    if (ticket) socket.onopen = () => socket.send(JSON.stringify({ t: 'auth', ticket }));
    socket.onmessage = ({ data }) => (typeof data === 'string' ? this.control(data) : this.bytes(new Uint8Array(data)));
    socket.onclose = () => { if (this.socket === socket) { this.socket = null; this.lost(); } };
  }

  /** @param {string} text */
  control(text) {
    /** @type {any} */
    let told = {};
    try { told = JSON.parse(text); } catch { return; }
    if (told.t === 'hello') {
      if (told.reset) this.term.reset();
      this.received = this.acked = told.off;
      this.started = told.started || 1;
      this.tries = 0;
      this.sized(told);
      this.say({ phase: 'open', tries: 0, code: undefined, message: undefined });
      this.resize();
    } else if (told.t === 'size') this.sized(told);
    else if (told.t === 'exit') this.end('exit', told.code === 0 || told.code === undefined || told.code === null ? 'The shell ended.' : `The shell ended with code ${told.code}.`);
    else if (told.t === 'bye' && told.code !== 'restart' && told.code !== 'unreachable') this.end(told.code, told.message);
  }

  /** @param {Uint8Array} data */
  bytes(data) {
    if (this.sentAt) { this.say({ delay: Math.round(performance.now() - this.sentAt) }); this.sentAt = 0; }
    this.received += data.length;
    const { received, socket } = this;
    this.term.write(data, () => {
      if (socket !== this.socket || received - this.acked < ACK_EVERY) return;
      this.acked = received;
      this.send({ t: 'ack', off: received });
    });
  }

  /** @param {object} message */
  send(message) { if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message)); }

  /** @param {string} text */
  input(text) {
    if (this.socket?.readyState !== 1 || this.state.phase !== 'open') return;
    this.sentAt ||= performance.now();
    this.socket.send(new TextEncoder().encode(text));
  }

  /** Bytes that are not text, from mouse reports. @param {string} data */
  binary(data) { if (this.socket?.readyState === 1) this.socket.send(Uint8Array.from(data, (letter) => letter.charCodeAt(0))); }

  /** The screen takes the size of the session where that is smaller. @param {{cols: number, rows: number}} size */
  sized({ cols, rows }) {
    this.shared = { cols, rows };
    this.fit();
  }

  fit() {
    const [cols, rows] = [Math.min(this.own.cols, this.shared.cols), Math.min(this.own.rows, this.shared.rows)];
    if (cols !== this.term.cols || rows !== this.term.rows) this.term.resize(cols, rows);
  }

  /** What fits here now. @param {{cols: number, rows: number} | undefined} size */
  room(size) {
    if (!size || !(size.cols > 1) || (size.cols === this.own.cols && size.rows === this.own.rows)) return;
    this.own = size;
    if (this.state.phase === 'open') this.resize();
    else this.shared = size;
    this.fit();
  }

  resize() { this.send({ t: 'resize', ...this.own }); }

  /** @param {string} code @param {string} [message] */
  end(code, message) {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.say({ phase: 'ended', code, message });
  }

  /** Reconnects, unless there is nothing to reconnect to; what is starting is waited for. */
  async lost() {
    if (this.closed || this.state.phase === 'ended') return;
    this.tries += 1;
    this.say({ phase: 'lost', tries: this.tries });
    clearTimeout(this.timer);
    if (this.tries <= GIVE_UP) this.timer = setTimeout(() => this.look(), Math.min(300 * 2 ** (this.tries - 1), 4000));
  }

  async look() {
    if (this.closed) return;
    let ready = true;
    try {
      const { status, replicas } = await get(`/api/workspaces/${this.workspace}`);
      if (replicas === 0 || (status !== 'running' && status !== 'starting')) { this.end('stopped', 'The workspace is stopped.'); return; }
      ready = status === 'running';
    } catch (error) {
      const known = /** @type {any} */ (error)?.status;
      if (known === 401) { this.end('signed_out', 'You are signed out.'); return; }
      if (known === 403 || known === 404) { this.end('revoked', 'This terminal is no longer yours to open.'); return; }
      this.lost();
      return;
    }
    if (this.closed || this.state.phase === 'ended') return;
    if (ready) this.open();
    else this.timer = setTimeout(() => this.look(), 500);
  }

  /** Tries again now, from the beginning of the count. */
  retry() { this.tries = 0; this.state.phase = 'connecting'; this.open(); }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}
