import { z } from 'zod';

/** The options of every command that works on an environment. */
export const environmentFlags = [
  { flags: '--to <environment>', description: 'the environment of calculaud.<name>.yml' },
  { flags: '--file <file>', description: 'its configuration (calculaud.yml)' },
];

/** … and of those that change it. */
export const changeFlags = [
  ...environmentFlags,
  { flags: '--yes', description: 'do not ask' },
  { flags: '--wait <seconds>', description: 'for a deployment that is under way (0)' },
];

export const environmentOptions = { to: z.string().optional(), file: z.string().optional() };

export const changeOptions = {
  ...environmentOptions,
  yes: z.boolean().default(false),
  wait: z.coerce.number().min(0).max(86_400).default(0),
};
