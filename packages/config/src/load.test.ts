import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { explainConfig, loadConfig } from './load.ts';
import { ConfigError, type Problem } from './problem.ts';
import type { Environment } from './sources.ts';
import { stricterRules } from './stricter-rules.ts';

function problemsOf(environment: Environment): readonly Problem[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

function namesOf(environment: Environment): string[] {
  return problemsOf(environment).map(({ name }) => name);
}

function shown(environment: Environment, name: string) {
  return explainConfig(environment).settings.find((setting) => setting.name === name);
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('an empty environment', () => {
  test('gives a local development system', () => {
    const config = loadConfig({});
    expect(config.http).toMatchObject({
      host: '127.0.0.1',
      port: 8000,
      prefix: '/api/v1',
      docs: true,
      cors: { origins: 'any', credentials: false },
      drainTimeoutMs: 10_000,
      drainNoticeMs: 250,
    });
    expect(config.management).toEqual({ host: '127.0.0.1', port: 9090 });
    expect(config.database.url).toBeUndefined();
    expect(config.data.directory).toBe(resolve('data'));
    expect(config.files.store).toEqual({ kind: 'local', directory: resolve('data/files') });
    expect(config.files.maxBytes).toBe(1024 ** 3);
    expect(config.paging).toEqual({ defaultSize: 100, maxSize: 200 });
    expect(config.auth).toMatchObject({ bypass: false, adminRole: 'calAdmins', userRole: 'calUsers' });
    expect(config.auth.oidc).toBeUndefined();
    expect(config.organisation).toEqual({
      timeZone: 'UTC',
      legacyTimeZone: 'UTC',
      usdToIlsRate: '3.7',
      autoFlagDays: 10,
      rules: new Set(),
      demo: true,
    });
    expect(config.log.level).toBe('info');
    expect(config.app.version).toMatch(/^\d+\.\d+\.\d+/);
  });
});

describe('an environment of v1', () => {
  test('goes on working as it is', () => {
    const config = loadConfig({
      DATABASE_URL: 'postgresql+psycopg2://calculaud:p%40ss@db:5432/calculaud',
      APP_NAME: 'Procurement',
      DEBUG: 'True',
      VERSION: '2.3.4',
      ENVIRONMENT: 'staging',
      API_V1_PREFIX: '/api/v1/',
      DEFAULT_PAGE_SIZE: '50',
      MAX_PAGE_SIZE: '500',
      AWS_ACCESS_KEY_ID: 'AKIA',
      AWS_SECRET_ACCESS_KEY: 'aws-secret',
      AWS_REGION: 'eu-central-1',
      S3_ENDPOINT_URL: 'http://minio:9000',
      S3_STORAGE_CLASS: 'STANDARD_IA',
      S3_USE_SSL: '0',
      S3_BUCKET_URL: 'https://files.example.org',
      S3_KEY_PREFIX: 'documents/',
      MAX_FILE_SIZE_MB: '5',
      USD_TO_ILS_RATE: '3.65',
      AUTH_JWKS_URL: 'http://idp/keys',
      AUTH_ISSUER: 'https://idp.example.org',
      AUTH_TOKEN_ENDPOINT_URL: 'https://idp.example.org/token',
      AUTH_OIDC_URL: 'https://idp.example.org/.well-known/openid-configuration',
      AUTH_AUDIENCE: 'calculaud',
      AUTH_ALGORITHM: 'RS256, ES256',
      ADMIN_ROLE: 'admins',
      USER_ROLE: 'users',
      ROLE_CLAIM_PATH: 'cognito:groups',
      OAUTH_CLIENT_ID: 'web',
      OAUTH_SCOPES: 'openid profile',
      UNRELATED: 'ignored',
    });
    expect(config.database.url).toBe('postgresql://calculaud:p%40ss@db:5432/calculaud');
    expect(config.database.migrationUrl).toBe(config.database.url);
    expect(config.app).toEqual({
      name: 'Procurement',
      version: '2.3.4',
      environment: 'staging',
      production: false,
      debug: true,
    });
    expect(config.log.level).toBe('debug');
    expect(config.http.prefix).toBe('/api/v1');
    expect(config.paging).toEqual({ defaultSize: 50, maxSize: 500 });
    expect(config.files).toMatchObject({
      maxMegabytes: 5,
      store: {
        kind: 's3',
        bucket: 'calculaud-files',
        keyPrefix: 'documents/',
        endpoint: 'http://minio:9000',
        region: 'eu-central-1',
        storageClass: 'STANDARD_IA',
        credentials: { accessKeyId: 'AKIA', secretAccessKey: 'aws-secret' },
      },
    });
    expect(config.auth.oidc).toEqual({
      jwksUrl: 'http://idp/keys',
      issuer: 'https://idp.example.org',
      audience: 'calculaud',
      algorithms: ['RS256', 'ES256'],
    });
    expect(config.auth.roleClaim).toBe('cognito:groups');
    expect(config.organisation.usdToIlsRate).toBe('3.65');
  });

  test('may spell its names in any case, as v1 did', () => {
    expect(loadConfig({ api_v1_prefix: '/v1' }).http.prefix).toBe('/v1');
    expect(shown({ api_v1_prefix: '/v1' }, 'API_V1_PREFIX')?.origin).toBe('environment, as api_v1_prefix');
  });

  test('may hold a password that only SQLAlchemy could read', () => {
    const { database } = loadConfig({
      DATABASE_URL: 'postgresql://us er:p#s/s:w%@db/calculaud?sslmode=require',
    });
    expect(database.url).toBe('postgresql://us%20er:p%23s%2Fs%3Aw%25@db/calculaud?sslmode=require');
  });

  test('may name a Unix socket', () => {
    const url = 'postgresql:///calculaud?host=/run/postgresql';
    expect(loadConfig({ DATABASE_URL: url }).database.url).toBe(url);
  });

  test('is told that SQLite has gone', () => {
    expect(problemsOf({ DATABASE_URL: 'sqlite:///./app.db' })).toMatchObject([
      { name: 'DATABASE_URL', expected: expect.stringContaining('SQLite is not supported') },
    ]);
  });

  test.each(['true', 'True', '1', 'yes', 'ON', 't', 'y'])('reads %s as true', (text) => {
    expect(loadConfig({ DEBUG: text }).app.debug).toBe(true);
  });

  test.each(['false', 'False', '0', 'no', 'OFF', 'f', 'n'])('reads %s as false', (text) => {
    expect(loadConfig({ CALCULAUD_DEMO: text }).organisation.demo).toBe(false);
  });
});

describe('a wrong configuration', () => {
  test('names every problem at once', () => {
    const names = namesOf({
      PORT: 'eighty',
      MAX_FILE_SIZE_MB: '-1',
      DEBUG: 'perhaps',
      CALCULAUD_TIMEZONE: 'Mars/Olympus',
      CALCULAUD_LEGACY_TZ: '+02:00',
      AUTH_ALGORITHM: 'HS256',
      USD_TO_ILS_RATE: 'inf',
      LOG_LEVEL: 'loud',
      CALCULAUD_TRUSTED_PROXIES: '10.0.0.0/33',
      CALCULAUD_NONSENSE: '1',
      AWS_ACCESS_KEY_ID: 'AKIA',
    });
    expect(names.toSorted()).toEqual([
      'AUTH_ALGORITHM',
      'AWS_SECRET_ACCESS_KEY',
      'CALCULAUD_LEGACY_TZ',
      'CALCULAUD_NONSENSE',
      'CALCULAUD_TIMEZONE',
      'CALCULAUD_TRUSTED_PROXIES',
      'DEBUG',
      'LOG_LEVEL',
      'MAX_FILE_SIZE_MB',
      'PORT',
      'USD_TO_ILS_RATE',
    ]);
  });

  test('says what is wrong and what is expected', () => {
    expect(() => loadConfig({ PORT: '70000' })).toThrow(
      'PORT cannot be "70000"; expected: a whole number from 0 to 65535',
    );
  });

  test('suggests the name that was meant', () => {
    expect(problemsOf({ CALCULAUD_DATTA: 'x', CALCULAUD_DEMO_FILE: 'x' })).toMatchObject([
      { name: 'CALCULAUD_DATTA', expected: 'did you mean CALCULAUD_DATA?' },
      { name: 'CALCULAUD_DEMO_FILE', expected: 'did you mean CALCULAUD_DEMO?' },
    ]);
  });

  test.each([
    [{ BYPASS_AUTH: '1', HOST: '0.0.0.0' }, 'BYPASS_AUTH'],
    [{ BYPASS_AUTH: '1', ENVIRONMENT: 'Production' }, 'BYPASS_AUTH'],
    [{ BYPASS_AUTH: '1', ENVIRONMENT: 'staging' }, 'BYPASS_AUTH'],
    [{ BYPASS_AUTH: '1', ENVIRONMENT: 'developers' }, 'BYPASS_AUTH'],
    [{ AUTH_JWKS_URL: 'https://idp/keys' }, 'AUTH_ISSUER'],
    [{ AUTH_ISSUER: 'https://idp' }, 'AUTH_JWKS_URL'],
    [{ AUTH_JWKS_URL: 'http://idp/keys', AUTH_ISSUER: 'idp', ENVIRONMENT: 'production' }, 'AUTH_JWKS_URL'],
    [{ AUTH_TOKEN_ENDPOINT_URL: 'http://idp/token', ENVIRONMENT: 'prod' }, 'AUTH_TOKEN_ENDPOINT_URL'],
    [{ AWS_SECRET_ACCESS_KEY: 'secret' }, 'AWS_ACCESS_KEY_ID'],
    [{ CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY: 'secret' }, 'CALCULAUD_BACKUP_S3_ACCESS_KEY_ID'],
    [
      {
        CALCULAUD_BACKUP_ENGINE: 'pgbackrest',
        CALCULAUD_BACKUP_REPOSITORIES: '/srv/backup',
        DATABASE_URL: 'postgresql://db/x',
      },
      'CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE',
    ],
    [
      {
        CALCULAUD_BACKUP_ENGINE: 'pgbackrest',
        CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE: 'x',
        DATABASE_URL: 'postgresql://db/x',
      },
      'CALCULAUD_BACKUP_REPOSITORIES',
    ],
    [
      {
        CALCULAUD_BACKUP_ENGINE: 'pgbackrest',
        CALCULAUD_BACKUP_REPOSITORIES: '/b',
        CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE: 'x',
      },
      'CALCULAUD_BACKUP',
    ],
    [{ CALCULAUD_BACKUP_REPOSITORIES: 's3://key:secret@bucket' }, 'CALCULAUD_BACKUP_REPOSITORIES'],
    [{ CALCULAUD_CORS_ORIGINS: '*,https://app.example.org' }, 'CALCULAUD_CORS_ORIGINS'],
    [{ CALCULAUD_CORS_ORIGINS: 'https://app.example.org/path' }, 'CALCULAUD_CORS_ORIGINS'],
    [{ DEFAULT_PAGE_SIZE: '300' }, 'DEFAULT_PAGE_SIZE'],
    [{ PORT: '9090' }, 'MANAGEMENT_PORT'],
    [{ CALCULAUD_PUBLIC_URL: 'calculaud.example.org' }, 'CALCULAUD_PUBLIC_URL'],
    [{ CALCULAUD_PUBLIC_URL: 'https://example.org/?a=b' }, 'CALCULAUD_PUBLIC_URL'],
    [{ CALCULAUD_PUBLIC_URL: 'https://me:secret@example.org' }, 'CALCULAUD_PUBLIC_URL'],
    [{ CALCULAUD_ALLOWED_HOSTS: 'https://example.org' }, 'CALCULAUD_ALLOWED_HOSTS'],
    [{ CALCULAUD_ALLOWED_HOSTS: 'example.org:8000' }, 'CALCULAUD_ALLOWED_HOSTS'],
    [{ CALCULAUD_DRAIN_NOTICE_MS: '10001' }, 'CALCULAUD_DRAIN_NOTICE_MS'],
    [{ CALCULAUD_SIGNING_SECRET: 'short' }, 'CALCULAUD_SIGNING_SECRET'],
    [{ MAX_FILE_SIZE_MB: '2048' }, 'MAX_FILE_SIZE_MB'],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'NODE_TLS_REJECT_UNAUTHORIZED'],
  ])('%j is refused', (environment, name) => {
    expect(namesOf(environment)).toEqual([name]);
  });

  test('the check of certificates may be on, and a file may be as large as its size can be written', () => {
    for (const value of ['1', '']) expect(namesOf({ NODE_TLS_REJECT_UNAUTHORIZED: value })).toEqual([]);
    expect(loadConfig({ MAX_FILE_SIZE_MB: '2047' }).files.maxBytes).toBeLessThan(2 ** 31);
  });

  test('blames one cause once', () => {
    expect(namesOf({ AUTH_JWKS_URL: 'ftp://idp', AUTH_ISSUER: 'idp' })).toEqual(['AUTH_JWKS_URL']);
  });
});

describe('settings that belong together', () => {
  test.each(['development', 'Dev', 'test', 'testing', 'local'])(
    'BYPASS_AUTH works on loopback in %s',
    (name) => {
      expect(loadConfig({ BYPASS_AUTH: 'true', HOST: '::1', ENVIRONMENT: name }).auth.bypass).toBe(true);
    },
  );

  test('production hides the documents and answers listed origins only', () => {
    const production = loadConfig({ ENVIRONMENT: 'production' });
    expect(production.http).toMatchObject({ docs: false, cors: { origins: [] } });
    const open = loadConfig({
      ENVIRONMENT: 'production',
      CALCULAUD_DOCS: 'on',
      CALCULAUD_CORS_ORIGINS: 'https://app.example.org, http://localhost:8080/',
    });
    expect(open.http).toMatchObject({
      docs: true,
      cors: { origins: ['https://app.example.org', 'http://localhost:8080'], credentials: true },
    });
  });

  test('a small largest page lowers the usual one', () => {
    expect(loadConfig({ MAX_PAGE_SIZE: '20' }).paging).toEqual({ defaultSize: 20, maxSize: 20 });
  });

  test('the public address is one to which paths can be added', () => {
    const publicUrl = (text: string) => loadConfig({ CALCULAUD_PUBLIC_URL: text }).http.publicUrl;
    expect(publicUrl('https://Example.org/')).toBe('https://example.org');
    expect(publicUrl('https://example.org:8443/procurement/')).toBe('https://example.org:8443/procurement');
    expect(loadConfig({}).http).toMatchObject({ publicUrl: undefined, allowedHosts: [] });
  });

  test('a short drain shortens the notice before it', () => {
    expect(loadConfig({ CALCULAUD_DRAIN_TIMEOUT_MS: '0' }).http.drainNoticeMs).toBe(0);
  });

  test('a bucket or AWS keys choose S3, unless local is asked for', () => {
    expect(loadConfig({ S3_BUCKET_NAME: 'files' }).files.store).toMatchObject({
      kind: 's3',
      bucket: 'files',
      credentials: undefined,
    });
    expect(loadConfig({ S3_BUCKET_NAME: 'files', CALCULAUD_FILES: 'local' }).files.store.kind).toBe('local');
  });
});

describe('the rules beyond those of v1', () => {
  const rulesOf = (text: string) => [...loadConfig({ CALCULAUD_RULES: text }).organisation.rules];

  test('are none, some, or by one word all', () => {
    expect(rulesOf('')).toEqual([]);
    expect(rulesOf(' stage-order, Hierarchy-Rank')).toEqual(['stage-order', 'hierarchy-rank']);
    expect(rulesOf('strict,stage-order').toSorted()).toEqual([...stricterRules].toSorted());
  });

  test('are told when one is not known', () => {
    expect(problemsOf({ CALCULAUD_RULES: 'stage-order,stage-oder' })).toMatchObject([
      { name: 'CALCULAUD_RULES', expected: expect.stringContaining('value-required, stage-order') },
    ]);
  });

  test('are all told in the description of the setting', () => {
    const description = shown({}, 'CALCULAUD_RULES')?.description;
    for (const rule of stricterRules) expect(description).toContain(rule);
  });
});

describe('a secret', () => {
  const signingSecret = 'a-secret-of-at-least-thirty-two-characters';

  test('can come from a file', () => {
    const path = file('secret', `${signingSecret}\n`);
    expect(loadConfig({ CALCULAUD_SIGNING_SECRET_FILE: path }).files.signingSecret).toBe(signingSecret);
    expect(shown({ CALCULAUD_SIGNING_SECRET_FILE: path }, 'CALCULAUD_SIGNING_SECRET')?.origin).toBe(
      `CALCULAUD_SIGNING_SECRET_FILE (${path})`,
    );
  });

  test('given directly and as a file is refused', () => {
    const path = file('url', 'postgresql://db/calculaud');
    expect(namesOf({ DATABASE_URL: 'postgresql://db/calculaud', DATABASE_URL_FILE: path })).toEqual([
      'DATABASE_URL',
    ]);
  });

  test('in a file that is missing or empty is refused by the name of the variable', () => {
    expect(namesOf({ DATABASE_URL_FILE: join(folder, 'missing') })).toEqual(['DATABASE_URL_FILE']);
    expect(namesOf({ DATABASE_URL_FILE: file('empty', '\n') })).toEqual(['DATABASE_URL_FILE']);
  });

  test('is never shown', () => {
    const environment = {
      DATABASE_URL: 'postgresql://me:hidden-1@db/calculaud?password=hidden-2',
      AWS_ACCESS_KEY_ID: 'hidden-3',
      AWS_SECRET_ACCESS_KEY: 'hidden-4',
      CALCULAUD_SIGNING_SECRET: 'hidden-5',
      CALCULAUD_WORKER_DATABASE_URL: 'mysql://me:hidden-6@db/calculaud',
    };
    const explanation = explainConfig(environment);
    expect(explanation.problems.map(({ name }) => name)).toEqual([
      'CALCULAUD_WORKER_DATABASE_URL',
      'CALCULAUD_SIGNING_SECRET',
    ]);
    expect(JSON.stringify([explanation, problemsOf(environment)])).not.toContain('hidden');
    expect(shown(environment, 'DATABASE_URL')?.value).toBe(
      'postgresql://me:********@db/calculaud?password=********',
    );
  });
});

describe('an explanation', () => {
  test('tells where a value came from', () => {
    const environment = { PORT: '80', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', APP_NAME: '' };
    expect(shown(environment, 'PORT')).toMatchObject({ value: '80', origin: 'environment' });
    expect(shown(environment, 'HOST')).toMatchObject({ value: '127.0.0.1', origin: 'default' });
    expect(shown(environment, 'APP_NAME')).toMatchObject({ origin: 'default' });
    expect(shown(environment, 'CALCULAUD_FILES')).toMatchObject({
      value: 's3',
      origin: 'default (AWS_ACCESS_KEY_ID is given)',
    });
    expect(shown(environment, 'DATABASE_URL')).toMatchObject({ value: null, origin: 'default' });
  });

  test('shows the valid settings beside a wrong one', () => {
    const explanation = explainConfig({ PORT: 'x', HOST: '127.0.0.2' });
    expect(explanation.problems).toHaveLength(1);
    expect(shown({ PORT: 'x', HOST: '127.0.0.2' }, 'PORT')?.value).toBeNull();
    expect(shown({ PORT: 'x', HOST: '127.0.0.2' }, 'HOST')?.value).toBe('127.0.0.2');
  });
});

describe('the system', () => {
  /** What a program prints that is started in the folder. */
  function printed(statements: string, environment: Record<string, string> = {}): unknown {
    const program = `
      import { explainConfig, loadConfig } from ${JSON.stringify(join(import.meta.dirname, 'load.ts'))};
      ${statements}
    `;
    const tsx = resolve(import.meta.dirname, '../../../node_modules/tsx/dist/cli.mjs');
    const output = execFileSync(process.execPath, [tsx, '--input-type=module', '--eval', program], {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...environment },
      encoding: 'utf8',
    });
    return JSON.parse(output);
  }

  test('is the environment, then a .env file in the working folder', () => {
    file('.env', 'APP_NAME="From the file"\nexport VERSION=from-the-file\nPORT=1\n');
    const settings = printed(
      `const wanted = ['APP_NAME', 'VERSION', 'PORT'];
      const settings = explainConfig().settings.filter(({ name }) => wanted.includes(name));
      console.log(JSON.stringify(settings.map(({ name, value, origin }) => [name, value, origin])));`,
      { PORT: '2' },
    );
    expect(settings).toEqual([
      ['APP_NAME', 'From the file', '.env'],
      ['VERSION', 'from-the-file', '.env'],
      ['PORT', '2', 'environment'],
    ]);
  });

  test('says in words that its .env file cannot be read', () => {
    // What a mount of a file that does not exist leaves behind.
    mkdirSync(join(folder, '.env'));
    const said = printed(`
      try { loadConfig(); } catch (error) { console.log(JSON.stringify([error.name, error.message])); }`);
    expect(said).toEqual([
      'ConfigError',
      expect.stringMatching(
        /^ {2}\.env cannot be read \(EISDIR.*\); expected: a readable file, or none, at /m,
      ),
    ]);
  });
});
