/** Milliseconds that a value stands for; 0: those of each measurement. */
export type Resolution = 0 | 60_000 | 3_600_000;

export const minute = 60_000;
export const hour = 3_600_000;
export const day = 86_400_000;

/** The coarse ones, the finest first. */
export const rollups = [minute, hour] as const;
export const resolutions = [0, minute, hour] as const;

/** The longest time that one chunk of a resolution may hold, in milliseconds. */
export const longestChunk: Readonly<Record<Resolution, number>> = {
  0: hour,
  [minute]: day + hour,
  [hour]: 31 * day,
};

/** Chunks of a resolution that become one when their time has passed, the shortest time first. */
export const merges: readonly { readonly resolution: Resolution; readonly span: number }[] = [
  { resolution: minute, span: day },
  { resolution: hour, span: day },
  { resolution: hour, span: 30 * day },
];

/** How long values of each resolution are kept, in milliseconds. */
export type Retention = Readonly<Record<Resolution, number>>;
