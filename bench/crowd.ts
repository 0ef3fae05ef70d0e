import type { Case } from './cases.ts';
import { Client } from './client.ts';
import { load, type Speed } from './load.ts';
import { peakWhile } from './memory.ts';

export const CONNECTIONS = 64;

export interface CrowdMeasurement extends Speed {
  /** Of the server, in MB. */
  readonly memoryBefore: number;
  readonly memoryPeak: number;
}

/** Everything at once over many connections. Comes last, when the server has had all other load already. */
export async function measureCrowd(
  { url, token, pid }: { url: string; token: string; pid: number },
  cases: readonly Case[],
  requests: number,
): Promise<CrowdMeasurement> {
  const client = new Client(url, token, CONNECTIONS);
  try {
    let next = 0;
    const send = () => {
      const chosen = cases[next % cases.length];
      next += 1;
      if (!chosen) {
        throw new Error('a crowd asks for something');
      }
      return client.bytes(chosen.request());
    };
    const { result, before, peak } = await peakWhile(pid, () =>
      load(send, { concurrency: CONNECTIONS, requests, leastSeconds: 10, mostSeconds: 60 }),
    );
    return { ...result, memoryBefore: before, memoryPeak: peak };
  } finally {
    await client.close();
  }
}
