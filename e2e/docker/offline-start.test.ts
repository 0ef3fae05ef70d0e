import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type DockerDaemon, dockerDaemon } from './daemon.ts';
import { docker } from './docker-command.ts';
import { images } from './images.ts';
import { type Ended, type Site, siteOf, startSite } from './site.ts';

/** The product itself, from a bundle, where no network reaches: nothing there, then a version that answers. */

const HTTPS = 23_443;
/** A program for that place: what does the gateway answer there? */
const ASK = `require('node:https').get({
  host: '127.0.0.1', port: ${HTTPS}, path: '/health', rejectUnauthorized: false,
  headers: { host: 'site.example.org' },
}, (answer) => { process.stdout.write(answer.statusCode + ' '); answer.pipe(process.stdout); });`;

const folder = mkdtempSync(join(tmpdir(), 'calculaud-offline-'));
let daemon: DockerDaemon;
let maker: Site;
let site: Site;
beforeAll(async () => {
  daemon = await dockerDaemon();
  maker = siteOf(daemon);
  site = await startSite();
});
afterAll(async () => {
  await site.stop();
  await daemon.stop();
  rmSync(folder, { recursive: true });
});

function fine(what: string, { exitCode, stdout, stderr }: Ended): string {
  if (exitCode !== 0) throw new Error(`${what} ended with ${exitCode}:\n${stdout}\n${stderr}`);
  return stdout;
}

async function prepare(): Promise<void> {
  const key = fine('bundle key', await maker.calculaud('bundle key release', folder));
  const label = '{{index .Config.Labels "org.opencontainers.image.version"}}';
  const version = await docker(maker.host, 'image', 'inspect', '--format', label, images.app);
  const sbom = { bomFormat: 'CycloneDX', metadata: { component: { name: 'calculaud', version } } };
  writeFileSync(join(folder, 'sbom.cdx.json'), JSON.stringify(sbom));
  writeFileSync(
    join(folder, 'calculaud.site.yml'),
    stringify({
      name: 'site',
      kind: 'production',
      domain: 'site.example.org',
      image: images.app,
      replicas: { api: 1 },
      gateway: { image: images.gateway, http: null, https: HTTPS },
      database: { kind: 'bundled', image: images.postgres },
      strategy: { watch: '5s' },
      hosts: [{ name: await docker(site.host, 'info', '--format', '{{.Name}}'), docker: site.host }],
      offline: { key: key.trim() },
    }),
  );
}

test('a version that came as a file is loaded, started, and answers', async () => {
  await prepare();
  const create = `bundle create --to site --key release.key --sbom sbom.cdx.json --docker ${maker.host} --out bundle.tar`;
  const steps: readonly [Site, string][] = [
    [maker, create],
    [site, 'bundle verify bundle.tar --to site'],
    [site, 'init --environment site --self-signed --yes'],
    [site, 'bundle load bundle.tar --to site'],
    [site, 'deploy --to site --yes'],
  ];
  for (const [where, line] of steps) {
    const started = performance.now();
    fine(line, await where.calculaud(line, folder));
    console.log(`${line.split(' ', 2).join(' ')}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
  expect((await site.run(['ip', 'route', 'show', 'default'], folder)).stdout).toBe('');

  const answer = await site.run([process.execPath, '--eval', ASK], folder);
  expect(answer.stdout).toMatch(/^200 .*"status":"healthy"/);
  expect(fine('plan', await site.calculaud('plan --to site', folder))).not.toMatch(/^[+~-]/m);
});
