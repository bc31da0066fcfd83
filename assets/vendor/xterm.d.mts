// The part of xterm.js' types that the terminal page uses.
export interface Disposable { dispose(): void; }
export interface Addon { activate(terminal: Terminal): void; dispose(): void; }
export class Terminal {
  constructor(options: Record<string, any>);
  readonly cols: number; readonly rows: number;
  readonly element?: HTMLElement; readonly textarea?: HTMLTextAreaElement;
  readonly buffer: any;
  options: Record<string, any>;
  open(parent: HTMLElement): void;
  write(data: string | Uint8Array, done?: () => void): void;
  onData(call: (data: string) => void): Disposable;
  onBinary(call: (data: string) => void): Disposable;
  onResize(call: (size: { cols: number, rows: number }) => void): Disposable;
  onSelectionChange(call: () => void): Disposable;
  onTitleChange(call: (title: string) => void): Disposable;
  attachCustomKeyEventHandler(call: (event: KeyboardEvent) => boolean): void;
  loadAddon(addon: Addon): void;
  getSelection(): string; hasSelection(): boolean; selectAll(): void; clearSelection(): void;
  paste(text: string): void; input(data: string, user?: boolean): void;
  scrollToBottom(): void; resize(cols: number, rows: number): void;
  focus(): void; reset(): void; clear(): void; dispose(): void;
}
