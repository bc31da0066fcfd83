/** Reading again what no event tells: while the page is looked at, and at once when somebody comes back to it. */
import { useEffect } from './html.js';

/** @param {() => void} read @param {number} milliseconds @param {boolean} [on] */
export function usePoll(read, milliseconds, on = true) {
  useEffect(() => {
    if (!on) return undefined;
    const look = () => { if (document.visibilityState === 'visible') read(); };
    const timer = setInterval(look, milliseconds);
    document.addEventListener('visibilitychange', look);
    return () => { clearInterval(timer); document.removeEventListener('visibilitychange', look); };
  }, [on, milliseconds]);
}
