import { isScalar, parseDocument } from 'yaml';

/** How many containers an environment runs of what can be there more than once. */
export interface Counts {
  readonly api?: number | undefined;
  readonly worker?: number | undefined;
}

/** The text of a `calculaud.yml` with other numbers, everything else as it was written. */
export function withReplicas(text: string, counts: Counts): string {
  let changed = text;
  for (const key of ['api', 'worker'] as const) {
    const count = counts[key];
    if (count === undefined) continue;
    const document = parseDocument(changed);
    const place = ['replicas', key];
    const found = document.getIn(place, true);
    if (!document.has('replicas')) {
      changed = `${changed.replace(/\n*$/, '\n')}replicas:\n  ${key}: ${count}\n`;
    } else if (isScalar(found) && found.range) {
      const [start, end] = found.range;
      changed = `${changed.slice(0, start)}${count}${changed.slice(end)}`;
    } else {
      document.setIn(place, count);
      // Lines stay as long as they are.
      changed = document.toString({ lineWidth: 0 });
    }
  }
  return changed;
}
