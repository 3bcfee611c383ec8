/**
 * Starts `sleep 1000` by child_process.spawn alone, as often as asked over IPC, and answers with the milliseconds of
 * each until its 'spawn' event: the least that any program on Node can take. What it started stays.
 */
import { spawn } from 'node:child_process';

async function spawnOnce(): Promise<number> {
  const began = performance.now();
  const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const milliseconds = performance.now() - began;
  child.unref();
  return milliseconds;
}

process.on('message', async (count: number) => {
  const samples: number[] = [];
  while (samples.length < count) samples.push(await spawnOnce());
  process.send?.(samples);
});
process.on('disconnect', () => process.exit());
