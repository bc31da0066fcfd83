import type { Addon, Terminal } from './xterm.mjs';
export class FitAddon implements Addon { activate(terminal: Terminal): void; dispose(): void; fit(): void; proposeDimensions(): { cols: number, rows: number } | undefined; }
