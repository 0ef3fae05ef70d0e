import { spawn } from 'node:child_process';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** Bytes of an image as registries keep it and hosts fetch it: its layers, compressed. */
export async function compressedSize(image: string): Promise<number> {
  const saving = spawn('docker', ['save', image], { stdio: ['ignore', 'pipe', 'inherit'] });
  const status = new Promise<number | null>((resolve, reject) => {
    saving.once('error', reject);
    saving.once('exit', resolve);
  });
  let size = 0;
  const compressed = saving.stdout.pipe(createGzip());
  compressed.on('data', (chunk: Buffer) => {
    size += chunk.length;
  });
  await finished(compressed);
  if ((await status) !== 0) throw new Error(`docker save ${image} failed.`);
  return size;
}
