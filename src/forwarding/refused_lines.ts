import type { Outgoing } from './outgoing.ts';
import { NotNow, Refused } from './receiver.ts';

interface Around {
  readonly send: (lines: readonly Outgoing[]) => Promise<void>;
  /** The receiver does not want this line, though it takes others. */
  readonly onDropped: (line: Outgoing, why: string) => void;
  /** Whether what it does not want is dropped also where it takes nothing at all. */
  readonly givesUp: boolean;
}

/** So many answers of one batch may be refusals; it is enough to find six lines in thousands. */
const mostRefusals = 100;

/**
 * Sends lines in their order. What is refused is sent once more in halves, until it is known which lines are not wanted: only
 * those are dropped, and only when others were taken. A receiver that refuses everything is more likely set up wrongly: then it
 * throws `NotNow`, unless it is to give up.
 */
export async function sendAround(lines: readonly Outgoing[], around: Around): Promise<void> {
  const pieces: (readonly Outgoing[])[] = [lines];
  /** Refused before any was taken. */
  const doubtful: [Outgoing, string][] = [];
  let [isAnyTaken, refusals] = [around.givesUp, 0];
  for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
    const why = await refusalOf(piece, around.send);
    if (why === null) isAnyTaken = true;
    else if (piece.length === 1) doubtful.push(...piece.map((line): [Outgoing, string] => [line, why]));
    else pieces.push(piece.slice(piece.length >>> 1), piece.slice(0, piece.length >>> 1));
    if (isAnyTaken) for (const [line, its] of doubtful.splice(0)) around.onDropped(line, its);
    if (why === null || ++refusals < mostRefusals || pieces.length === 0) continue;
    if (!around.givesUp) throw new NotNow(why, null);
    for (const line of pieces.reverse().flat()) around.onDropped(line, why);
    return;
  }
  const [first] = doubtful;
  if (first !== undefined) throw new NotNow(first[1], null);
}

/** Why it is refused; null: it is not. */
async function refusalOf(piece: readonly Outgoing[], send: Around['send']): Promise<string | null> {
  try {
    await send(piece);
    return null;
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}
