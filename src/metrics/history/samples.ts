/** The values of one tick, by the numbers of their series. */
export interface Samples {
  readonly series: Uint32Array;
  readonly values: Float32Array;
}

/** As they stand in the row of a tick. */
export function encodeSamples({ series, values }: Samples): Uint8Array {
  const bytes = Buffer.alloc(8 * series.length);
  bytes.set(new Uint8Array(series.buffer, series.byteOffset, series.byteLength));
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), series.byteLength);
  return bytes;
}

export function decodeSamples(bytes: Uint8Array): Samples {
  const count = Math.floor(bytes.length / 8);
  // Its own memory: that of a row need not begin where numbers may stand.
  const { buffer } = Uint8Array.from(bytes);
  return { series: new Uint32Array(buffer, 0, count), values: new Float32Array(buffer, 4 * count, count) };
}
