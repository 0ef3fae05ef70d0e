import { stdin, stdout } from 'node:process';
import { messageOf } from '../failure.ts';
import { startEmbeddedPostgres } from '../supervisor.ts';

/**
 * A program for tests: starts the server of the data folder that it is given, says so in one line of JSON, and stops it
 * when its input ends. So a test can have it run as another user, from another checkout, or kill it.
 */
const [dataDirectory = '', durability] = process.argv.slice(2);
try {
  const server = await startEmbeddedPostgres({
    dataDirectory,
    durability: durability === 'full' ? 'full' : 'none',
  });
  const { pid, socketDirectory } = server;
  const report = { pid, socketDirectory, app: server.connectionString('app') };
  stdin.once('end', () => void server.stop()).resume();
  stdout.write(`${JSON.stringify(report)}\n`);
} catch (error) {
  stdin.destroy();
  stdout.write(`${JSON.stringify({ refusal: messageOf(error) })}\n`);
}
