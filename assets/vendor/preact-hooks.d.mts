// The part of preact/hooks' types that the user interface uses.
import type { Ref } from './preact.mjs';
export function useState<T>(first: T | (() => T)): [T, (next: T | ((now: T) => T)) => void];
export function useState<T = undefined>(): [T | undefined, (next: T | undefined) => void];
export function useEffect(run: () => void | (() => void), on?: readonly unknown[]): void;
export function useLayoutEffect(run: () => void | (() => void), on?: readonly unknown[]): void;
export function useRef<T>(first: T): { current: T };
export function useRef<T>(first: null): Ref<T>;
export function useMemo<T>(make: () => T, on?: readonly unknown[]): T;
export function useCallback<F extends (...args: any[]) => any>(call: F, on?: readonly unknown[]): F;
export function useId(): string;
