/** 32 well mixed bits of a text: FNV-1a, then the end of MurmurHash3. Not for secrets: whoever knows it can choose where a text leads to. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mix(hash);
}

/** 32 bits, each of which depends on all bits of `hash`. */
export function mix(hash: number): number {
  let mixed = hash >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Of 32 bits, a number between 0 and 1 that is neither. */
export function fraction(hash: number): number {
  return ((hash >>> 0) + 0.5) / 2 ** 32;
}

/**
 * How good a place number `place` is for a key, the lowest is the best: weighted rendezvous hashing (Thaler and Ravishankar 1998;
 * with weights as in Schindelhauer and Schomaker 2005). When a place comes or goes, only keys that go there or were there move.
 */
export function distance(key: number, place: number, weight: number): number {
  return -Math.log(fraction(mix(key ^ mix(place + 0x9e3779b9)))) / weight;
}
