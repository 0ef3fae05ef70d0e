import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { loadEnvironment } from '../../environment/file.ts';
import { printStack } from '../../stack/print.ts';
import { initialState, renderStack } from '../../stack/render.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { asRefusal } from '../options.ts';

const options = z.object({
  file: z.string().optional(),
  environment: z.string().optional(),
  output: z.string().min(1).optional(),
});

export const run: Run = async ({ terminal, options: typed }) => {
  const { file, environment, output } = asRefusal(options, typed);
  const config = loadEnvironment({ file, name: environment });
  const stack = renderStack(config, initialState(config));
  if (output === undefined) {
    terminal.yieldValue('stack', { name: stack.name }, { file: printStack(stack).trimEnd() });
    return EXIT.done;
  }
  mkdirSync(output, { recursive: true });
  const files = [
    { name: 'stack.yml', content: printStack(stack, { configsBeside: true }) },
    ...stack.configs.map(({ name, content }) => ({ name, content })),
  ];
  for (const { name, content } of files) {
    writeFileSync(join(output, name), content);
    terminal.say(`+ ${join(output, name)}`);
  }
  terminal.emit('rendered', { name: stack.name, folder: output, files: files.map(({ name }) => name) });
  return EXIT.done;
};
