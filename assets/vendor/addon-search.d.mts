import type { Addon, Terminal } from './xterm.mjs';
export class SearchAddon implements Addon {
  activate(terminal: Terminal): void; dispose(): void;
  findNext(text: string, options?: Record<string, any>): boolean; findPrevious(text: string, options?: Record<string, any>): boolean;
  clearDecorations(): void;
  onDidChangeResults(call: (found: { resultIndex: number, resultCount: number }) => void): { dispose(): void };
}
