import type { Counts } from '../../environment/with-replicas.ts';
import { SERVICES } from '../../stack/names.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';

const MOST = 20;
const ONLY_ONE: readonly string[] = Object.values(SERVICES);

/** Reads `api=4 worker=2`. */
export function parseCounts(words: readonly string[]): Counts {
  const counts: { api?: number; worker?: number } = {};
  for (const word of words) {
    const [, service = '', count = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
    if (service !== 'api' && service !== 'worker') {
      throw refusal(
        service.startsWith('api-')
          ? `The colours are not scaled one by one: say api=${count}, which is the one that answers`
          : ONLY_ONE.includes(service)
            ? `There can only be one ${service}`
            : `"${word}" is no service with a number`,
      );
    }
    if (counts[service] !== undefined) throw refusal(`${service} is there twice`);
    if (!/^\d{1,3}$/.test(count)) throw refusal(`"${count}" is no number of containers`);
    counts[service] = Number(count);
  }
  if (counts.api === 0) throw refusal('Somebody has to answer users: api=0 is refused');
  if (counts.worker === 0) throw refusal('Nobody would do the background work: worker=0 is refused');
  const most = Math.max(counts.api ?? 0, counts.worker ?? 0);
  if (most > MOST) throw refusal(`${most} are more than the ${MOST} that the gateway knows of`);
  return counts;
}

function refusal(message: string): CliError {
  return new CliError(`${message}.`, 'Such as: calculaud scale api=4 worker=2', EXIT.refused);
}
