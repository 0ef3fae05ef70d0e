import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { repository } from '../system.ts';
import { ensureBaseImages } from './base-images/build.ts';
import { dockerDaemon } from './daemon.ts';
import { buildProductImages } from './product-images.ts';
import { ONLY_FULL } from './vitest.config.ts';

/**
 * `npm run e2e:docker`: the tests of image, stack and deployments on a real Docker daemon. It takes the one that answers,
 * else starts one of its own for as long as the tests run. Arguments that are not ours go to Vitest.
 *
 *   --full      the counts of the bars, for evidence; small ones without it
 *   --prepare   only brings the daemon and the images up, and says how to use them; with CALCULAUD_DOCKER_DATA=<folder>
 *               the daemon stays, and the images in its folder
 */
const { values, tokens } = parseArgs({
  strict: false,
  tokens: true,
  options: { full: { type: 'boolean' }, prepare: { type: 'boolean' } },
});
const ours = new Set(
  tokens.flatMap((token) =>
    token.kind === 'option' && ['full', 'prepare'].includes(token.name) ? [token.index] : [],
  ),
);
const forVitest = process.argv.slice(2).filter((_, index) => !ours.has(index));

const daemon = await dockerDaemon();
// Ctrl-C reaches the tests themselves; we wait for them, and then end the daemon.
process.on('SIGINT', () => undefined);
try {
  await ensureBaseImages(daemon.host);
  buildProductImages(daemon.host);
  if (values.prepare) {
    console.log(`\nexport DOCKER_HOST=${daemon.host}\n${[...daemon.enter, '<command>'].join(' ')}`);
  } else {
    if (!values.full) console.log(`Only with --full: ${ONLY_FULL.join(', ')}`);
    process.exitCode = runTests();
  }
} finally {
  await daemon.stop();
}

function runTests(): number {
  const vitest = ['npx', 'vitest', 'run', '--config', 'e2e/docker/vitest.config.ts', ...forVitest];
  const [program = '', ...args] = [...daemon.enter, ...vitest];
  const { status } = spawnSync(program, args, {
    cwd: repository,
    env: {
      ...process.env,
      DOCKER_HOST: daemon.host,
      ...(values.full ? { CALCULAUD_E2E: 'full' } : {}),
    },
    stdio: 'inherit',
  });
  return status ?? 1;
}
