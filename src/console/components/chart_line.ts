/** One line of a chart. */
export interface ChartLine {
  readonly name: string;
  /** Milliseconds since 1970, and the value; null: nothing is known. */
  readonly points: readonly (readonly [number, number | null])[];
  /** As people read a value. */
  readonly format: (value: number) => string;
}
