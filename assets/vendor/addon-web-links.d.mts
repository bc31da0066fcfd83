import type { Addon, Terminal } from './xterm.mjs';
export class WebLinksAddon implements Addon { constructor(open?: (event: MouseEvent, address: string) => void); activate(terminal: Terminal): void; dispose(): void; }
