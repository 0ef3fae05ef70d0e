import { expect, test } from 'vitest';
import { maskedCommand } from './masked.ts';

test.each<[string[], string]>([
  [['calculaud', 'db', 'status'], 'calculaud db status'],
  [['psql', '-c', 'select 1'], "psql -c 'select 1'"],
  [['sh', '-c', "echo 'a'"], `sh -c 'echo '\\''a'\\'''`],
  [['ls', '-la', '/run/secrets'], 'ls -la /run/secrets'],
])('%j is shown as a shell takes it', (argv, shown) => {
  expect(maskedCommand(argv)).toBe(shown);
});

test.each<[string[]]>([
  [['psql', 'postgresql://calculaud:hunter2@database/calculaud']],
  [['env', 'PGPASSWORD=hunter2', 'psql']],
  [['curl', '--password', 'hunter2']],
  [['curl', '--password=hunter2']],
  [['tool', '--api-key', 'hunter2']],
  [['sh', '-c', 'export DB_PASSWORD=hunter2; psql']],
  [['sh', '-c', 'tool --token hunter2 --verbose']],
  [['sh', '-c', 'tool --token "hunter2 hunter2"']],
  [['psql', '-c', "alter role calculaud_app password 'hunter2'"]],
  [['psql', '-c', "alter role calculaud_app PASSWORD 'it''s hunter2'"]],
  [['curl', '-H', 'Authorization: Bearer hunter2']],
  [['curl', '-d', '{"password": "hunter2"}']],
  [['calculaud', 'journey', '--with', 'cal_hunter2']],
  [['curl', 'https://example.org/?password=hunter2&a=1']],
  [['env', 'AWS_SECRET_ACCESS_KEY=hunter2', 'aws']],
])('%j keeps its secret', (argv) => {
  const shown = maskedCommand(argv);
  expect(shown).not.toContain('hunter2');
  expect(shown).toContain('********');
  expect(shown.startsWith(argv[0] ?? '')).toBe(true);
});

test('the name of a secret is none', () => {
  expect(maskedCommand(['cat', '/run/secrets/database-superuser'])).toBe(
    'cat /run/secrets/database-superuser',
  );
  expect(maskedCommand(['calculaud', 'token', 'list'])).toBe('calculaud token list');
  expect(maskedCommand(['tool', '--token', '--verbose'])).toBe('tool --token --verbose');
});
