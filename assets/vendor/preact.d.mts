// The part of preact's types that the user interface uses. Templates are made by htm, so a tree is opaque here.
export type Child = VNode | string | number | boolean | null | undefined | Child[];
export interface VNode { type: unknown; props: any; key: unknown; }
export type Props = Record<string, any>;
export type Ref<T> = { current: T | null };
export class Component<P = Props, S = Record<string, any>> {
  constructor(props?: P);
  props: P; state: S;
  setState(next: Partial<S>): void;
  componentDidCatch?(error: unknown): void;
  render(props?: P, state?: S): Child;
}
export function h(type: any, props: any, ...children: Child[]): VNode;
export function render(tree: Child, into: Element | DocumentFragment): void;
export const Fragment: (props: { children?: Child }) => Child;
