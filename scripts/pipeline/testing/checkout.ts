import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SCRIPTS = fileURLToPath(new URL('..', import.meta.url));

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What the script said to the workflow. */
  readonly outputs: Readonly<Record<string, string>>;
  /** The programs outside of the repository that it called, one line each. */
  readonly calls: readonly string[];
}

/**
 * A git repository of its own that holds the scripts of the pipelines. Programs that would reach out (docker, gh, cosign,
 * npx …) only write down how they were called, and do what the test says; the others are the real ones.
 */
export class Checkout {
  readonly path = mkdtempSync(join(tmpdir(), 'calculaud-pipeline-'));
  private readonly output = join(this.path, '.git', 'output');
  private readonly log = join(this.path, '.git', 'calls');
  private readonly programs = join(this.path, '.git', 'programs');

  constructor() {
    // Without the usual samples of hooks, which nobody needs and cost time.
    this.git('init', '--quiet', '--initial-branch', 'main', '--template=');
    mkdirSync(this.programs);
    cpSync(SCRIPTS, join(this.path, 'scripts/pipeline'), {
      recursive: true,
      filter: (path) => !path.endsWith('.ts'),
    });
    this.commit('the scripts');
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  git(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(
      'git',
      ['-c', 'user.name=A', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false', ...args],
      { cwd: this.path, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), text);
  }

  /** Commits everything, with these files written or (null) removed before; says the commit. */
  commit(message: string, files: Readonly<Record<string, string | null>> = {}): string {
    for (const [path, text] of Object.entries(files)) {
      if (text === null) rmSync(join(this.path, path));
      else this.write(path, text);
    }
    this.git('add', '--all');
    this.git('commit', '--quiet', '--allow-empty', '--message', message);
    return this.git('rev-parse', 'HEAD');
  }

  /** A stand-in for a program. */
  program(name: string, script = ''): void {
    const path = join(this.programs, name);
    writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' "${name} $*" >> "${this.log}"\n${script}\n`);
    chmodSync(path, 0o755);
  }

  run(command: string, environment: Readonly<Record<string, string>> = {}): Outcome {
    for (const file of [this.output, this.log]) rmSync(file, { force: true });
    const { status, stdout, stderr } = spawnSync('sh', ['-c', `exec sh scripts/pipeline/${command}`], {
      cwd: this.path,
      encoding: 'utf8',
      env: {
        PATH: [this.programs, dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(
          delimiter,
        ),
        HOME: this.path,
        GITHUB_REPOSITORY: 'Example/calculaud',
        GITHUB_OUTPUT: this.output,
        ...environment,
      },
    });
    const pairs = read(this.output).map((line) => line.split(/=(.*)/s, 2));
    return {
      status,
      stdout,
      stderr,
      outputs: Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value])),
      calls: read(this.log),
    };
  }
}

function read(file: string): readonly string[] {
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];
}
