import { createHash, randomBytes } from 'node:crypto';
import { openFolderStore } from '../folder-store.ts';

/** Puts one object after the other, each beginning with the SHA-256 of its rest, and says what was put. */
const store = await openFolderStore(process.argv[2] ?? '');
for (let number = 0; ; number += 1) {
  const rest = randomBytes(400_000);
  const content = Buffer.concat([createHash('sha256').update(rest).digest(), rest]);
  await store.put(`objects/${number}`, content, { ifAbsent: number % 2 === 0 });
  process.stdout.write(`${number}\n`);
}
