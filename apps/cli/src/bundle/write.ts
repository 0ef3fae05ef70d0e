import { createHash, type KeyObject } from 'node:crypto';
import { type BundleFile, type Manifest, printManifest, readManifest } from './manifest.ts';
import { isBundlePath, MANIFEST, SIGNATURE } from './paths.ts';
import { fingerprint, publicHalf, sign } from './signature.ts';
import { TAR_END, tarEntry } from './tar-entry.ts';

type Content = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Takes the bytes of a bundle, one piece after the other. */
export type Sink = (chunk: Uint8Array) => Promise<void>;

/** Writes a bundle front to back: each file as it comes, and at the end what was written, signed. */
export class BundleWriter {
  readonly #sink: Sink;
  readonly #created: Date;
  readonly #files: BundleFile[] = [];

  constructor(sink: Sink, created: Date) {
    this.#sink = sink;
    this.#created = new Date(Math.floor(created.getTime() / 1000) * 1000);
  }

  /** Adds a file; gives its SHA-256. */
  async add(path: string, size: number, content: Content): Promise<string> {
    if (!isBundlePath(path)) throw new Error(`${path} cannot be in a bundle`);
    const sha256 = await this.#write(path, size, content);
    this.#files.push({ path, size, sha256 });
    return sha256;
  }

  async finish(
    about: Pick<Manifest, 'product' | 'platform' | 'images'>,
    privateKey: KeyObject,
  ): Promise<Manifest> {
    const manifest: Manifest = {
      format: 'calculaud-bundle',
      schema: 1,
      ...about,
      created: this.#created.toISOString().replace('.000Z', 'Z'),
      key: fingerprint(publicHalf(privateKey)),
      files: this.#files,
    };
    const bytes = Buffer.from(printManifest(manifest));
    // Nobody could open it: what was put together above is at fault, not the one who asked for it.
    const { problems } = readManifest(bytes.toString('utf8'));
    if (problems) throw new Error(`The bundle would not be complete: ${problems.join('; ')}`);
    const signature = sign(bytes, privateKey);
    await this.#write(MANIFEST, bytes.length, [bytes]);
    await this.#write(SIGNATURE, signature.length, [signature]);
    await this.#sink(TAR_END);
    return manifest;
  }

  async #write(name: string, size: number, content: Content): Promise<string> {
    const hash = createHash('sha256');
    const seconds = this.#created.getTime() / 1000;
    for await (const chunk of tarEntry({ name, size, seconds }, hashed(content, hash)))
      await this.#sink(chunk);
    return hash.digest('hex');
  }
}

async function* hashed(content: Content, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
}
