import { describe, expect, test } from 'vitest';
import { listEntries } from './entries.ts';
import { type Manifest, printManifest, readManifest } from './manifest.ts';
import { sign } from './signature.ts';
import {
  CREATED,
  inMemory,
  LAYERS,
  onDisk,
  problemsOf,
  SMALL_FILES,
  sha256,
  smallBundle,
  testKey,
} from './testing/bundle.ts';
import { BLOCK, fillOf, TAR_END, tarHeader } from './tar-entry.ts';

const key = testKey();
const bytes = await smallBundle(key);
const entries = await onDisk(bytes, async (source) => listEntries(source));
const SECONDS = CREATED.getTime() / 1000;

/** What a changed bundle is refused for. */
async function refusal(changed: Buffer, by = key): Promise<readonly string[]> {
  return onDisk(changed, async (source) => problemsOf(source, by.publicKey));
}

/** A file of the bundle with its header and what fills it up. */
function piece(name: string): Buffer {
  const entry = entries.find((one) => one.name === name);
  if (!entry) throw new Error(`no ${name}`);
  return bytes.subarray(entry.at - BLOCK, entry.at + entry.size + fillOf(entry.size));
}

function rawPiece(name: string, content: Buffer | string, header?: (header: Buffer) => void): Buffer {
  const body = Buffer.from(content);
  const head = tarHeader({
    name: 'x'.repeat(Math.min(name.length, 100)),
    size: body.length,
    seconds: SECONDS,
  });
  head.fill(0, 0, 100);
  head.write(name, 0, 100);
  header?.(head);
  head.fill(' ', 148, 156);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([head, body, Buffer.alloc(fillOf(body.length))]);
}

/** The bundle with these pieces, in this order. */
function of(...pieces: Buffer[]): Buffer {
  return Buffer.concat([...pieces, TAR_END]);
}

const names = entries.map(({ name }) => name);
const all = (): Buffer[] => names.map(piece);
const listed = names.slice(0, -2);
const signed = (): Buffer[] => [piece('manifest.json'), piece('manifest.json.sig')];

/** The same files under another manifest, signed by whomever. */
function resigned(change: (manifest: Manifest) => unknown, by = key): Buffer {
  const entry = entries.find(({ name }) => name === 'manifest.json');
  const text = bytes.toString('utf8', entry?.at, (entry?.at ?? 0) + (entry?.size ?? 0));
  const { manifest } = readManifest(text);
  if (!manifest) throw new Error(text);
  const changed = change(manifest);
  const manifestBytes = Buffer.from(typeof changed === 'string' ? changed : JSON.stringify(changed));
  return of(
    ...listed.map(piece),
    rawPiece('manifest.json', manifestBytes),
    rawPiece('manifest.json.sig', sign(manifestBytes, by.privateKey)),
  );
}

test('a bundle that nobody touched is fine', async () => {
  expect(await refusal(bytes)).toEqual([]);
  expect(of(...all())).toEqual(bytes);
  expect(await refusal(resigned(printManifest))).toEqual([]);
});

test('every bit counts: a byte that is changed anywhere is noticed', async () => {
  const changed = Buffer.from(bytes);
  const unnoticed: number[] = [];
  // Every fifth is enough: from header to header it is another place that is met.
  for (let position = 0; position < bytes.length; position += 5) {
    changed[position] = (bytes[position] ?? 0) ^ (1 << (position % 8));
    if ((await problemsOf(inMemory(changed), key.publicKey)).length === 0) unnoticed.push(position);
    changed[position] = bytes[position] ?? 0;
  }
  expect(changed).toEqual(bytes);
  expect(await problemsOf(inMemory(changed), key.publicKey)).toEqual([]);
  expect(unnoticed).toEqual([]);
});

test('the file that was altered is named, with the image it is a part of', async () => {
  const layer = entries.find(({ name }) => name === 'images/top/layer.tar');
  const migration = entries.find(({ name }) => name === 'migrations/0001_tables.sql');
  const changed = Buffer.from(bytes);
  for (const entry of [layer, migration]) changed.write('X', entry?.at ?? -1);
  expect(await refusal(changed)).toEqual([
    expect.stringMatching(
      /^migrations\/0001_tables.sql was altered: its SHA-256 is \w{64} instead of \w{64}$/,
    ),
    `images/top/layer.tar (part of calculaud:1.0.0) was altered: its SHA-256 is ${sha256(Buffer.from(`X${LAYERS.top.toString().slice(1)}`))} instead of ${sha256(LAYERS.top)}`,
  ]);
});

test('a bundle that was cut off anywhere is refused, and says where', async () => {
  const said: string[] = [];
  for (let length = 0; length < bytes.length; length += 97) {
    said.push((await refusal(bytes.subarray(0, length))).join());
  }
  expect(said.filter((problem) => !/ is cut off(: | after | at its very end)/.test(problem))).toEqual([]);
  const entry = entries.find(({ name }) => name === 'images/base/layer.tar');
  expect(await refusal(bytes.subarray(0, (entry?.at ?? 0) + 100))).toEqual([
    'images/base/layer.tar is cut off: 100 of its 700 bytes are there',
  ]);
});

describe('a bundle is refused', () => {
  test.each([
    [
      'with a byte behind its end',
      () => Buffer.concat([bytes, Buffer.of(0)]),
      'the bundle goes on after its end',
    ],
    [
      'with another bundle behind its end',
      () => Buffer.concat([bytes, bytes]),
      'the bundle goes on after its end',
    ],
    ['with nothing in it', () => Buffer.alloc(0), 'the bundle is cut off after nothing'],
    ['as an empty tar', () => TAR_END, 'the bundle does not end with manifest.json and manifest.json.sig'],
    [
      'as something else',
      () => Buffer.alloc(4096, 'text '),
      'the bundle has something that no bundle has at byte 0, after nothing',
    ],
    [
      'without a manifest',
      () => of(...listed.map(piece)),
      'the bundle does not end with manifest.json and manifest.json.sig',
    ],
    [
      'without a signature',
      () => of(...listed.map(piece), piece('manifest.json')),
      'the bundle does not end with manifest.json and manifest.json.sig',
    ],
    [
      'with an empty signature',
      () => of(...listed.map(piece), piece('manifest.json'), rawPiece('manifest.json.sig', '')),
      'manifest.json.sig is no Ed25519 signature',
    ],
    [
      'with a manifest that is too large',
      () => of(rawPiece('manifest.json', Buffer.alloc(5_000_000, ' ')), piece('manifest.json.sig')),
      'manifest.json is too large',
    ],
    [
      'with a file that is missing',
      () => of(...listed.slice(1).map(piece), ...signed()),
      'LICENSE is missing',
    ],
    [
      'with a file more',
      () => of(...listed.map(piece), rawPiece('docs/more.md', 'more'), ...signed()),
      'docs/more.md is in no list of the manifest',
    ],
    ['with a file that is there twice', () => of(piece('LICENSE'), ...all()), 'LICENSE is there twice'],
    [
      'with a file behind the manifest',
      () => of(...all(), rawPiece('docs/more.md', 'more')),
      'the bundle does not end with manifest.json and manifest.json.sig',
    ],
    [
      'with a file that is larger than listed',
      () => of(rawPiece('LICENSE', 'Apache-2.0\n\n'), ...all().slice(1)),
      'LICENSE has 12 bytes instead of 11',
    ],
    [
      'with a file that carries another time',
      () =>
        of(
          rawPiece('LICENSE', SMALL_FILES['LICENSE'] ?? '', (header) => header.write('00000000000', 136)),
          ...all().slice(1),
        ),
      'LICENSE carries another time than the bundle',
    ],
  ])('%s', async (_, changed, problem) => {
    expect(await refusal(changed())).toEqual([problem]);
  });

  test('with its files in another order', async () => {
    const [first = '', second = '', ...others] = listed;
    expect(await refusal(of(...[second, first, ...others].map(piece), ...signed()))).toEqual([
      `${second} is not in its place`,
      `${first} is not in its place`,
    ]);
  });

  test.each([
    '../../etc/cron.d/evil',
    '/etc/passwd',
    'docs/../../evil',
    'docs/./evil',
    'docs//evil',
    'docs/.hidden',
    'docs/-rf',
    'images/a\\b',
    'evil',
    'docs/',
    'LICENSE/evil',
    'manifest.json/evil',
  ])('with a file that is called %s', async (name) => {
    expect(await refusal(of(rawPiece(name, 'evil'), ...all()))).toEqual([
      `the bundle holds ${JSON.stringify(name.slice(0, 100))}, a name that no bundle may hold`,
    ]);
  });

  test.each([
    ['2', 'a symbolic link'],
    ['1', 'a hard link'],
    ['5', 'a folder'],
    ['3', 'a device'],
    ['x', 'something that no bundle has'],
    ['L', 'something that no bundle has'],
  ])('with an entry of the type %s', async (type, word) => {
    const entry = rawPiece('docs/link', '', (header) => {
      header.write(type, 156);
      header.write('/etc/passwd', 157);
    });
    expect(await refusal(of(entry, ...all()))).toEqual([`the bundle has ${word} at byte 0, after nothing`]);
  });

  test('with a header that could be read in two ways', async () => {
    const quirks: readonly ((header: Buffer) => void)[] = [
      // The size in binary, as others write it from 8 GiB on; negative, even.
      (header) => header.fill(0xff, 124, 136),
      (header) => header.write('         13 ', 124),
      // A folder in front of the name.
      (header) => header.write('../../etc', 345),
      // Behind the name, where some readers go on.
      (header) => header.write('evil', 90),
      (header) => header.write('0004755', 100),
      (header) => header.write('root', 265),
    ];
    for (const quirk of quirks) {
      const changed = of(rawPiece('docs/README.md', 'text', quirk), ...all());
      expect(await refusal(changed)).toEqual([
        'the bundle has something that no bundle has at byte 0, after nothing',
      ]);
    }
  });

  test('with a size that goes far beyond its end, without reading it', async () => {
    const huge = rawPiece('docs/huge.md', '', (header) => header.write('77777777777', 124));
    expect(await refusal(Buffer.concat([huge, ...all(), TAR_END]))).toEqual([
      expect.stringMatching(/^docs\/huge.md is cut off: \d+ of its 8589934591 bytes are there$/),
    ]);
  });
});

describe('a signature is refused', () => {
  test('of another key, and the fingerprints tell which one it is', async () => {
    const other = testKey();
    expect(await refusal(bytes, other)).toEqual([
      expect.stringMatching(
        /^manifest.json is not signed with the key \w{64}; it says that it was signed with \w{64}$/,
      ),
    ]);
  });

  test('over a manifest that was changed and signed by somebody else', async () => {
    expect(await refusal(resigned((manifest) => manifest, testKey()))).toEqual([
      expect.stringMatching(/^manifest.json was altered, or not signed with the key \w{64}$/),
    ]);
  });

  test('before anything of the manifest is believed', async () => {
    expect(await refusal(resigned(() => 'no json', testKey()))).toEqual([
      expect.stringMatching(/^manifest.json was altered, or not signed/),
    ]);
  });
});

describe('a signed manifest is refused', () => {
  test.each([
    ['that is no JSON', () => 'no json', 'manifest.json is no JSON'],
    [
      'of a later schema',
      (manifest: Manifest) => ({ ...manifest, schema: 2, product: {} }),
      'manifest.json is of schema 2, this command knows 1: use a newer one',
    ],
    [
      'that lists a file twice',
      (manifest: Manifest) => ({ ...manifest, files: [...manifest.files, manifest.files[0]] }),
      'manifest.json lists LICENSE twice',
    ],
    [
      'that lists what leads out of it',
      (manifest: Manifest) => ({ ...manifest, files: [{ ...manifest.files[0], path: '../evil' }] }),
      'manifest.json files.0.path: expected a name that a bundle may hold',
    ],
    [
      'that says more than is known',
      (manifest: Manifest) => ({ ...manifest, run: 'evil.sh' }),
      'manifest.json : Unrecognized key: "run"',
    ],
    [
      'whose product is not in it',
      (manifest: Manifest) => ({ ...manifest, product: { ...manifest.product, image: 'calculaud:2' } }),
      "manifest.json lacks the product's image calculaud:2",
    ],
    [
      'with an image whose layers are elsewhere',
      (manifest: Manifest) => ({
        ...manifest,
        images: manifest.images.map((image) => ({
          ...image,
          layers: [{ path: 'docs/README.md', id: `sha256:${'0'.repeat(64)}` }],
        })),
      }),
      'manifest.json lacks docs/README.md, a part of the image calculaud:1.0.0',
    ],
    [
      'without migrations',
      (manifest: Manifest) => ({
        ...manifest,
        files: manifest.files.filter(({ path }) => !path.startsWith('migrations/')),
      }),
      'manifest.json lacks anything in migrations/',
    ],
  ])('%s', async (_, change, problem) => {
    expect(await refusal(resigned(change))).toEqual([problem]);
  });
});

describe('whoever writes a bundle', () => {
  test('cannot leave out what belongs to it', async () => {
    const { LICENSE: _, ...files } = SMALL_FILES;
    await expect(smallBundle(key, { files })).rejects.toThrow(
      'The bundle would not be complete: lacks LICENSE',
    );
  });

  test('cannot give a file a name that nobody could read again', async () => {
    await expect(smallBundle(key, { files: { ...SMALL_FILES, 'docs/../x': '' } })).rejects.toThrow(
      'docs/../x cannot be in a bundle',
    );
  });

  test('writes the same bytes for the same files', async () => {
    expect(await smallBundle(key)).toEqual(bytes);
  });
});
