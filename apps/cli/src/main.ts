import { run } from './run.ts';
import { systemStreams } from './ui/terminal.ts';

// A reader that has seen enough (`calculaud db status | head -1`) closes the pipe; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await run(process.argv.slice(2), systemStreams());
