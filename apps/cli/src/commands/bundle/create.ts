import type { KeyObject } from 'node:crypto';
import { basename } from 'node:path';
import { z } from 'zod';
import { FOLDERS } from '../../bundle/paths.ts';
import { productOf } from '../../bundle/product.ts';
import { publicHalf } from '../../bundle/signature.ts';
import { wantedImages } from '../../bundle/wanted-images.ts';
import { BundleWriter } from '../../bundle/write.ts';
import type { Run } from '../../command.ts';
import { environmentOptions } from '../../deployment/flags.ts';
import { loadEnvironmentAsWritten } from '../../environment/file.ts';
import { refuseExisting, withBundleFile, writeBundleFile } from '../../host/bundle-file.ts';
import { openDocker } from '../../host/docker.ts';
import { parseDockerAddress } from '../../host/docker-address.ts';
import { privateKeyFrom } from '../../host/key-file.ts';
import { reach } from '../../host/reach.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT, type ExitCode } from '../../ui/exit-codes.ts';
import { interruptible } from '../../ui/interruption.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { asRefusal } from '../options.ts';
import { checked, describe } from './checked.ts';
import {
  fetchMissing,
  findImages,
  imageOf,
  platformOf,
  refuseAmbiguity,
  showImages,
} from './local-images.ts';
import { addImages, addProductFiles, type Origin } from './parts.ts';
import { readSboms, refuseForeignSboms, type Sbom } from './sboms.ts';

const options = z.object({
  ...environmentOptions,
  key: z.string(),
  sbom: z.array(z.string()).min(1),
  out: z.string().min(1).optional(),
  docker: z.string().default('unix:///var/run/docker.sock'),
  dryRun: z.boolean().default(false),
});

export const run: Run = async ({ terminal, options: typed }) => {
  const { key: keyFile, sbom, out, docker: address, dryRun, ...choice } = asRefusal(options, typed);
  const config = loadEnvironmentAsWritten({ file: choice.file, name: choice.to });
  const wanted = wantedImages(config);
  refuseAmbiguity(wanted);
  const key = await privateKeyFrom(keyFile);
  const sboms = readSboms(sbom);
  if (out !== undefined) refuseExisting(out);

  return interruptible('Nothing was written.', async (signal) => {
    const docker = await openDocker(parseDockerAddress(address));
    try {
      await reach(docker);
      const found = await findImages(docker, wanted);
      showImages(wanted, found, terminal);
      if (dryRun) return EXIT.findings;
      const images = await fetchMissing(docker, wanted, found, terminal, signal);
      const product = productOf(wanted[0]?.name ?? '', imageOf(images, config.image));
      refuseForeignSboms(sboms, product);
      const path = out ?? `calculaud-${product.version}.bundle.tar`;
      return await write({ path, docker, wanted, images, product, sboms, key, terminal, signal });
    } finally {
      await docker.close();
    }
  });
};

interface Work extends Origin {
  readonly path: string;
  readonly sboms: readonly Sbom[];
  readonly key: KeyObject;
}

async function write(work: Work): Promise<ExitCode> {
  const { path, key, terminal, signal, product } = work;
  const platform = platformOf(work.images);
  const size = await writeBundleFile(path, async (sink, partial) => {
    const writer = new BundleWriter(async (chunk) => {
      signal.throwIfAborted();
      await sink(chunk);
    }, new Date());
    await addProductFiles(writer, work);
    for (const { file, content } of work.sboms) {
      await writer.add(FOLDERS.sbom + basename(file), content.length, [content]);
    }
    const images = await addImages(writer, work);
    await writer.finish({ product, platform, images }, key);
    // What reached the disk is what counts.
    return withBundleFile(partial, async (source) => {
      const bundle = await checked(source, publicHalf(key), terminal, signal);
      if (!bundle) {
        throw new CliError(
          'What was written is not what was read back, so it was removed.',
          'Look at the disk, then make it again.',
          EXIT.unverified,
        );
      }
      describe(bundle, terminal);
      return source.size;
    });
  });
  terminal.say(terminal.paint.green(`Wrote and verified ${path} (${inMegabytes(size)}).`));
  terminal.emit('created', { file: path, size, version: product.version });
  return EXIT.done;
}
