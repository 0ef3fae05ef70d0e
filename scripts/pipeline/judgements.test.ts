import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Checkout } from './testing/checkout.ts';

let checkout: Checkout;

beforeAll(() => {
  checkout = new Checkout();
});

afterAll(() => {
  checkout.remove();
});

describe('succeeded.sh', () => {
  const succeeded = (results: string) => checkout.run('succeeded.sh', { RESULTS: results });

  test('is content when all jobs succeeded or had nothing to do', () => {
    expect(succeeded('success skipped success').status).toBe(0);
  });

  test.each(['success failure skipped', 'cancelled', 'something new', ''])('is not with "%s"', (results) => {
    expect(succeeded(results).status).toBe(1);
  });
});

describe('title.sh', () => {
  const title = (text: string) => {
    checkout.program('gh', `cat <<'END'\n${text}\nEND`);
    return checkout.run('title.sh', { NUMBER: '7' });
  };

  test.each([
    'feat: purposes can be merged',
    'fix(purchases): costs of a deleted purchase no longer count',
    'feat!: the API listens on loopback',
    'chore(main): release 1.2.0',
    'fix(deps): update dependency fastify to v5.12.9',
  ])('takes "%s"', (text) => {
    expect(title(text).status).toBe(0);
  });

  test.each(['Purposes can be merged', 'feature: x', 'feat:x', 'feat: ', '$(touch gone)', ''])(
    'refuses "%s", and says how it should read',
    (text) => {
      const { status, stderr } = title(text);
      expect(status).toBe(1);
      expect(stderr).toContain('<type>: <what changes for whom>');
    },
  );

  test('asks for it as it is now', () => {
    expect(title('feat: purposes can be merged').calls).toEqual([
      'gh pr view 7 --repo Example/calculaud --json title --jq .title',
    ]);
    checkout.program('gh', 'exit 1');
    expect(checkout.run('title.sh', { NUMBER: '7' }).status).not.toBe(0);
  });
});

describe('guarded.sh', () => {
  const guarded = (answer: string) => {
    checkout.program('gh', `cat <<'END'\n${answer}\nEND`);
    return checkout.run('guarded.sh', { GUARDED: 'production' });
  };

  test('goes on when somebody else must approve', () => {
    const { status, calls } = guarded('2 true');
    expect(status).toBe(0);
    expect(calls[0]).toContain('gh api repos/Example/calculaud/environments/production');
  });

  test.each([
    ['', 'no reviewers'],
    ['0 true', 'no reviewers'],
    ['1 false', 'approving their own runs'],
  ])('refuses when the settings say "%s"', (answer, reason) => {
    const { status, stderr } = guarded(answer);
    expect(status).toBe(1);
    expect(stderr).toContain(reason);
  });

  test('refuses when it cannot know', () => {
    checkout.program('gh', 'echo "HTTP 404" >&2; exit 1');
    expect(checkout.run('guarded.sh', { GUARDED: 'production' }).status).not.toBe(0);
  });
});

describe('as-root.sh', () => {
  test('runs a command as root, with the environment that it has', () => {
    checkout.program('sudo');
    const { status, calls } = checkout.run('as-root.sh npm run e2e:docker', { CI: 'true' });
    expect(status).toBe(0);
    expect(calls).toEqual([expect.stringMatching(/^sudo --preserve-env env PATH=\S+ npm run e2e:docker$/)]);
  });

  test('ends as that does', () => {
    checkout.program('sudo', 'exit 3');
    expect(checkout.run('as-root.sh npm test').status).toBe(3);
  });
});
