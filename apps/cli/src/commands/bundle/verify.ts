import { z } from 'zod';
import { wantedImages } from '../../bundle/wanted-images.ts';
import type { Run } from '../../command.ts';
import { environmentOptions } from '../../deployment/flags.ts';
import { loadEnvironment } from '../../environment/file.ts';
import { withBundleFile } from '../../host/bundle-file.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { interruptible } from '../../ui/interruption.ts';
import { asRefusal } from '../options.ts';
import { checked, describe } from './checked.ts';
import { trustedKey } from './public-key.ts';

const options = z.object({ ...environmentOptions, key: z.string().optional() });

export const run: Run = async ({ terminal, options: typed, arguments: [path = ''] }) => {
  const { key: keyFile, to, file } = asRefusal(options, typed);
  // A bundle can be verified where no environment is known, by a key that is named.
  const isNamed = to !== undefined || file !== undefined;
  const config = isNamed || keyFile === undefined ? loadEnvironment({ file, name: to }) : undefined;
  const key = await trustedKey(keyFile, config);
  return interruptible('Nothing was changed.', async (signal) =>
    withBundleFile(path, async (source) => {
      const bundle = await checked(source, key, terminal, signal);
      if (!bundle) {
        terminal.say(terminal.paint.red(`${path} must not be used.`));
        return EXIT.findings;
      }
      describe(bundle, terminal);
      const carried = new Set(bundle.manifest.images.map(({ name }) => name));
      const missing = (config ? wantedImages(config) : []).filter(({ name }) => !carried.has(name));
      for (const { name } of missing) {
        terminal.print(`! ${name} is not in it, and ${config?.name ?? ''} is made of it`);
        terminal.emit('missing', { image: name });
      }
      if (missing.length > 0) return EXIT.findings;
      terminal.say(terminal.paint.green(`${path} is signed, complete and unaltered.`));
      terminal.emit('verified', { file: path });
      return EXIT.done;
    }),
  );
};
