import { z } from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };
import { containerImage, dockerEndpoint, domain, name } from '../../environment/readers.ts';
import { KINDS } from '../../environment/schema.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';

/** What a new calculaud.yml has to be told. */
export const answers = z.object({
  kind: z.enum(KINDS),
  name,
  domain,
  image: containerImage,
  docker: dockerEndpoint,
});
export type Answers = z.output<typeof answers>;

/** Those that were given by options, each valid. */
export const givenAnswers = answers.partial();
export type GivenAnswers = z.output<typeof givenAnswers>;

/** Asks for what was not given; where nobody can be asked, takes the usual, and refuses what has no usual value. */
export async function completeAnswers(given: GivenAnswers, terminal: Terminal): Promise<Answers> {
  const ask = terminal.interactive ? await questions() : usualAnswers;
  const kind = given.kind ?? (await ask.kind());
  const name = given.name ?? (await ask.text('name', 'Name of the environment', answers.shape.name, kind));
  const domain =
    given.domain ??
    (await ask.text(
      'domain',
      'Host name under which people reach it',
      answers.shape.domain,
      kind === 'development' ? 'localhost' : undefined,
    ));
  const image =
    given.image ??
    (await ask.text('image', 'Image of Calculaud', answers.shape.image, `calculaud:${packageJson.version}`));
  const docker =
    given.docker ??
    (await ask.text('docker', 'Docker of its host', answers.shape.docker, 'unix:///var/run/docker.sock'));
  return { kind, name, domain, image, docker };
}

interface Questions {
  readonly kind: () => Promise<Answers['kind']>;
  readonly text: (
    option: keyof Answers,
    question: string,
    reader: z.ZodType<string>,
    usual: string | undefined,
  ) => Promise<string>;
}

const usualAnswers: Questions = {
  kind: async () => 'development',
  text: async (option, question, _reader, usual) => {
    if (usual !== undefined) return usual;
    throw new CliError(
      `${question}: there is no terminal to ask on. Nothing was changed.`,
      `Say it with --${option}.`,
      EXIT.refused,
    );
  },
};

async function questions(): Promise<Questions> {
  const prompts = await import('@clack/prompts');
  const interrupted = (): CliError => new CliError('Interrupted. Nothing was changed.', '', EXIT.interrupted);
  return {
    kind: async () => {
      const kind = await prompts.select({
        message: 'What is it for?',
        options: KINDS.map((value) => ({ value })),
        output: process.stderr,
      });
      if (prompts.isCancel(kind)) throw interrupted();
      return kind;
    },
    text: async (_option, message, reader, usual) => {
      const text = await prompts.text({
        message,
        ...(usual !== undefined && { initialValue: usual }),
        validate: (typed) => {
          const { error } = reader.safeParse(typed);
          return error && `Expected: ${error.issues[0]?.message ?? 'something else'}`;
        },
        output: process.stderr,
      });
      if (prompts.isCancel(text)) throw interrupted();
      return text;
    },
  };
}
