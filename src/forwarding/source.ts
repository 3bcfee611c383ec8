import { formatCursor, type Place, parseCursor } from '../logs/cursor.ts';

/** How far the output of one service has been sent to one target. */
export class Source {
  readonly service: string;
  /** Up to here it has arrived. */
  #kept: Place;
  /** Up to here it has been read; what lies between is under way. */
  #read: Place;
  /** The cursor of the last line that was read; null: none is under way. */
  #lastLine: string | null = null;
  /** Where reading went on after what was not kept any more, as it was told last. */
  #gapEnd: string | null = null;

  constructor(service: string, place: Place) {
    this.service = service;
    this.#kept = place;
    this.#read = place;
  }

  get kept(): Place {
    return this.#kept;
  }

  get read(): Place {
    return this.#read;
  }

  /** Whether lines were read that have not arrived yet. */
  get isUnderWay(): boolean {
    return this.#lastLine !== null;
  }

  /**
   * Takes that it was read up to a place.
   * @param lastLine the cursor of the last line before it; null: there was none
   */
  advance(place: Place, lastLine: string | null): void {
    this.#read = place;
    this.#lastLine = lastLine ?? this.#lastLine;
    // Where nothing is under way, what holds no line has arrived.
    if (this.#lastLine === null) this.#kept = place;
  }

  /** Takes that all lines up to a cursor have arrived. */
  keep(cursor: string): void {
    if (cursor !== this.#lastLine) {
      this.#kept = parseCursor(cursor);
      return;
    }
    this.#kept = this.#read;
    this.#lastLine = null;
  }

  /** Begins again after what has arrived. */
  rewind(): void {
    this.#read = this.#kept;
    this.#lastLine = null;
  }

  /** Whether a gap that ends at this cursor has not been told yet. */
  isNewGap(cursor: string): boolean {
    const isNew = this.#gapEnd !== cursor;
    this.#gapEnd = cursor;
    return isNew;
  }

  /** Whether a place is where it has been read to. */
  isAt(place: Place): boolean {
    return formatCursor(place) === formatCursor(this.#read);
  }
}
