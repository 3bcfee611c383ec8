/** One thing that is known of something. */
export interface Fact {
  /** Also the name of the slot `fact-<key>` that draws it otherwise. */
  readonly key: string;
  readonly label: string;
  /** null and absent: a dash. */
  readonly value?: string | number | null;
  /** Whether it is a command, an id or a path. */
  readonly isMono?: boolean;
}
