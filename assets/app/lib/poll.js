/** Reading again what no event tells: while the page is looked at, and at once when somebody comes back to it. */
import { useEffect, useRef } from './html.js';

/** @param {() => void} read @param {number} milliseconds @param {boolean} [on] */
export function usePoll(read, milliseconds, on = true) {
  // What is read may change while the page stays: always the latest.
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    if (!on) return undefined;
    const look = () => { if (document.visibilityState === 'visible') latest.current(); };
    const timer = setInterval(look, milliseconds);
    document.addEventListener('visibilitychange', look);
    return () => { clearInterval(timer); document.removeEventListener('visibilitychange', look); };
  }, [on, milliseconds]);
}
