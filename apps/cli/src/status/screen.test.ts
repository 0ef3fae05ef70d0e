import pico from 'picocolors';
import { expect, test } from 'vitest';
import { assess } from './findings.ts';
import { screen } from './screen.ts';
import type { Seen } from './seen.ts';
import { answer, healthy, instance, service, withService } from './testing/seen.ts';

const plain = pico.createColors(false);
const shown = (seen: Seen): string => screen(seen, assess(seen, ''), plain);

test('a healthy environment on one screen', () => {
  expect(
    shown(healthy),
  ).toBe(`production (production, calculaud.example.org): healthy  2026-11-23 17:50:00 UTC

Release     green: calculaud:1.4.0, version 1.4.0 (0123456789ab), 2 of 2 ready
Kept        blue: calculaud:1.3.9, version 1.3.9, 1 of 1 ready, for \`calculaud rollback\`
Traffic     to green; ready by the gateway: 2 of green
Database    bundled, takes connections, answers 4 of 4 instances, within 2 ms, the schema fits
Deployment  none under way
Last        7. deploy calculaud:1.4.0: done, 2026-11-23 17:50:00 UTC, by dana@laptop
Drift       none

SERVICE    WANTED  RUNNING  HEALTHY  IMAGE                HOSTS
gateway    1       1        1        calculaud-gateway:1  host-a
api-blue   1       1        1        calculaud:1.3.9      host-a
api-green  2       2        2        calculaud:1.4.0      host-a, host-b
worker     1       1        1        calculaud:1.4.0      host-a
database   1       1        1        postgres:18.6        host-a

HOST    STATE                   DOCKER  DISK
host-a  ready, leading manager  28.2.2  70 GB of 250 GB free (Docker)
host-b  ready, worker           28.2.2  70 GB of 250 GB free (Docker)`);
});

test('what is wrong comes first, with what to type and harmless last lines of a bearable length', () => {
  const silent = instance('worker.1', { silent: true });
  const last_lines = ['1', '2', '3', '4', '5', '\u001b[2Jgone', 'x'.repeat(500)];
  const text = shown(withService(service('worker', [silent], { last_lines })));
  expect(text).toMatch(
    /^production \(.*\): not as it should be {2}.*\n\n✗ worker: worker\.1: does not answer on its management port\.\n/,
  );
  expect(text).toContain(
    `\n    3\n    4\n    5\n    �[2Jgone\n    ${'x'.repeat(160)} …\n  → calculaud logs worker\n\nRelease`,
  );
});

test('before the first deployment there is little to show', () => {
  const empty: Seen = {
    ...healthy,
    release: null,
    services: [],
    gateway: null,
    database: { kind: 'bundled', accepts: null },
    ledger: { length: 0, last: null, problems: [] },
  };
  expect(
    shown(empty),
  ).toBe(`production (production, calculaud.example.org): not as it should be  2026-11-23 17:50:00 UTC

✗ Nothing is deployed in production yet.
  → calculaud deploy

Release     nothing
Deployment  none under way

HOST    STATE                   DOCKER  DISK
host-a  ready, leading manager  28.2.2  70 GB of 250 GB free (Docker)
host-b  ready, worker           28.2.2  70 GB of 250 GB free (Docker)`);
});

test('a canary shows its share and both colours', () => {
  const gateway = { running: { active: 'green', next: 'blue', canary: 10 } as const };
  const seen = { ...healthy, gateway: healthy.gateway && { ...healthy.gateway, ...gateway } };
  expect(shown(seen)).toContain(
    'Traffic     to green, 10 % of it to blue; ready by the gateway: 1 of blue, 2 of green',
  );
});

test('instances that do not say who they are are not taken for anybody', () => {
  const mute = service('api-green', [instance('api-green.1', { silent: true })]);
  expect(shown(withService(mute))).toContain(
    'Release     green: calculaud:1.4.0, nobody says which version it is',
  );
  const two = service('api-green', [
    instance('api-green.1', { answer: answer() }),
    instance('api-green.2', { answer: answer({ version: '1.4.1', ready: false }) }),
  ]);
  expect(shown(withService(two))).toContain(
    'version 1.4.0 (0123456789ab) and 1.4.1 (0123456789ab), 1 of 2 ready',
  );
});

test('an image by digest is cut to what people recognise', () => {
  const image = `registry.example.org/calculaud@sha256:${'0123456789abcdef'.repeat(4)}`;
  const seen = withService(service('worker', [instance('worker.1')], { image }));
  expect(shown(seen)).toContain('registry.example.org/calculaud@sha256:0123456789ab…');
});

test('what is on a host that cannot be asked is not called healthy', () => {
  const unknown = service('worker', [instance('worker.1', { health: null })]);
  expect(shown(withService(unknown))).toMatch(/worker +1 +1 +0 \(1 not known\)/);
});
