import { loadWithOneMore, type Strategy } from './strategy.ts';

/**
 * Of two that are drawn by lot the one with less to do (Mitzenmacher 2001): nearly as even as least connections, but several
 * routers that know only their own connections do not all choose the same one.
 */
export const randomOfTwo: Strategy = {
  choose(pool, _facts, { random }) {
    const first = Math.floor(random() * pool.length);
    const one = pool[first];
    if (one === undefined || pool.length === 1) return one ?? null;
    const step = 1 + Math.floor(random() * (pool.length - 1));
    const other = pool[(first + step) % pool.length] ?? one;
    return loadWithOneMore(other) < loadWithOneMore(one) ? other : one;
  },
  reason: (chosen, which) => `${which} is the one with less to do, ${chosen?.open} open, of two drawn by lot`,
};
