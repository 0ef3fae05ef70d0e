import { expect, test } from 'vitest';
import { calculaud } from '../../testing/command-line.ts';

test('prints every setting with its value and origin', async () => {
  const { exitCode, stdout, stderr } = await calculaud('config show', { PORT: '8001' });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/^PORT +8001 +environment /m);
  expect(stdout).toMatch(/^HOST +127\.0\.0\.1 +default /m);
});

test('masks secrets in both languages', async () => {
  const environment = {
    DATABASE_URL: 'postgresql://me:hidden@db/calculaud',
    CALCULAUD_SIGNING_SECRET: 'hidden-in-thirty-two-characters-or-more',
  };
  for (const line of ['config show', 'config show --json']) {
    const { stdout, stderr } = await calculaud(line, environment);
    expect(stdout).toContain('postgresql://me:********@db/calculaud');
    expect(stdout + stderr).not.toContain('hidden');
  }
});

test('shows only what is set, when asked', async () => {
  const { events } = await calculaud('config show --changed --json', { PORT: '8001' });
  expect(events()).toEqual([
    {
      version: 1,
      event: 'setting',
      name: 'PORT',
      value: '8001',
      origin: 'environment',
      description: expect.any(String),
    },
  ]);
});

test('shows a wrong configuration, lists all problems and ends with 3', async () => {
  const { exitCode, stdout, stderr } = await calculaud('config show', { PORT: 'x', CALCULAUD_DATTA: 'y' });
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/^HOST +127\.0\.0\.1/m);
  expect(stderr).toContain('PORT cannot be "x"');
  expect(stderr).toContain('did you mean CALCULAUD_DATA?');
});
