import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What a command of the docker client prints; a failure tells what it said. */
export async function docker(host: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', ['--host', host, ...args], { maxBuffer: 100e6 });
  return stdout.trim();
}
