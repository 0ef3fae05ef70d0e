import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CommandDescription } from './command.ts';
import { groups, singles } from './program.ts';
import { calculaud } from './testing/command-line.ts';

const nameOf = ({ usage }: CommandDescription) => usage.split(' ')[0] ?? '';
const commands = [
  ...groups.flatMap(({ verb, commands: described }) =>
    described.map((description) => {
      const name = nameOf(description);
      return { ...description, verb, name, line: `${verb} ${name}` };
    }),
  ),
  ...singles.map((description) => {
    const name = nameOf(description);
    return { ...description, verb: name, name, line: name };
  }),
];

describe.each(commands)('calculaud $line', ({ verb, name, line, examples, options = [], load }) => {
  test('lies where its words say', async () => {
    expect(existsSync(join(import.meta.dirname, 'commands', verb, `${name}.ts`))).toBe(true);
    expect((await load()).run).toBeTypeOf('function');
  });

  test('explains itself with examples and does nothing', async () => {
    const { exitCode, stdout, stderr } = await calculaud(`${line} --help`, { PORT: 'wrong' });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(`Usage: calculaud ${line}`);
    expect(examples.length).toBeGreaterThan(0);
    for (const [example] of examples) {
      expect(example).toContain(`calculaud ${line}`);
      expect(stdout).toContain(example);
    }
  });

  test('refuses an option that it does not have', async () => {
    const required = options
      .filter((option) => option.required)
      .map(({ flags, choices }) => `${flags.split(' ')[0]} ${choices?.[0] ?? 'x'}`);
    const { exitCode, stdout, stderr } = await calculaud([line, ...required, '--nonsense'].join(' '));
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    expect(stderr).toContain("unknown option '--nonsense'");
  });
});

describe('calculaud', () => {
  test('prints its version', async () => {
    const { exitCode, stdout } = await calculaud('--version');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test('refuses an unknown command and suggests the one that was meant', async () => {
    const { exitCode, stderr } = await calculaud('db statsu');
    expect(exitCode).toBe(3);
    expect(stderr).toContain('Did you mean status?');
  });

  test('reports a failure as an event for programs, too', async () => {
    const { exitCode, stderr, events } = await calculaud('db status --json', { PORT: 'wrong' });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('PORT cannot be "wrong"');
    expect(events()).toEqual([
      {
        version: 1,
        event: 'error',
        message: expect.stringContaining('PORT cannot be "wrong"'),
        hint: expect.stringContaining('calculaud config show'),
        exit_code: 3,
      },
    ]);
  });

  test('says when the database cannot be reached, without its password', async () => {
    const { exitCode, stderr } = await calculaud('db status', {
      DATABASE_URL: 'postgresql://me:hidden@127.0.0.1:1/calculaud',
    });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('The database cannot be used');
    expect(stderr).not.toContain('hidden');
  });
});
