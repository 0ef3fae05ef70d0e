import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Docker } from './docker.ts';
import type { EngineInfo } from './docker-answers.ts';
import { DockerError } from './docker-error.ts';

/** Asks an engine who it is, before anything is done with it. One that does not answer is no fault of ours. */
export async function reach(docker: Docker): Promise<EngineInfo> {
  try {
    return await docker.api.info();
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    throw new CliError(
      `The Docker at ${docker.name} does not answer: ${error.answer}. Nothing was changed.`,
      'Look whether it runs, and whether you may use it: docker --host <address> info',
      EXIT.refused,
      { cause: error },
    );
  }
}
