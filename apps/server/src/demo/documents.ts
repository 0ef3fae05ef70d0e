import type { DocumentKind, Draft, DraftDocument } from './drafts.ts';
import { dayText } from './local-time.ts';
import { serviceTypes } from './organisation.ts';
import { pdf } from './pdf.ts';
import { png } from './png.ts';
import { Random } from './random.ts';
import type { Language } from './titles.ts';

/** The files that officers attach to a purpose when they file it. */
export interface DocumentFile {
  readonly name: string;
  readonly mime_type: string;
  readonly content: Buffer;
}

interface Kind {
  readonly title: Readonly<Record<Language, string>>;
  readonly extension: string;
  readonly mime_type: string;
  readonly write: (draft: Draft, day: string) => Buffer;
}

const kinds: Readonly<Record<DocumentKind, Kind>> = {
  quotation: {
    title: { en: 'Quotation', he: 'הצעת מחיר' },
    extension: 'pdf',
    mime_type: 'application/pdf',
    write: quotation,
  },
  specification: {
    title: { en: 'Specification', he: 'אפיון' },
    extension: 'txt',
    mime_type: 'text/plain',
    write: specification,
  },
  comparison: {
    title: { en: 'Price comparison', he: 'השוואת מחירים' },
    extension: 'csv',
    mime_type: 'text/csv',
    write: comparison,
  },
  plan: {
    title: { en: 'Floor plan', he: 'תרשים' },
    extension: 'png',
    mime_type: 'image/png',
    write: plan,
  },
};

export function documentFile(draft: Draft, { kind, at }: DraftDocument): DocumentFile {
  const { title, extension, mime_type, write } = kinds[kind];
  const day = dayText(at);
  return { name: `${title[draft.language]} ${day}.${extension}`, mime_type, content: write(draft, day) };
}

function quotation({ supplier, contents, purchases }: Draft, day: string): Buffer {
  return pdf([
    supplier ?? 'To whom it may concern',
    '',
    `Quotation of ${day}`,
    '',
    ...contents.map(({ service, quantity }) => `${quantity} x ${service}`),
    '',
    ...purchases.flatMap(({ costs }) => costs.map(({ currency, amount }) => `Price: ${amount} ${currency}`)),
    '',
    'Valid for 60 days. Payment within 45 days of delivery.',
    'This is a document of a demonstration: nobody offers anything.',
  ]);
}

function specification({ language, description, contents }: Draft): Buffer {
  const [heading, needed] = language === 'he' ? ['אפיון', 'נדרש:'] : ['Specification', 'What is needed:'];
  const lines = contents.map(({ service, quantity }) => `  ${quantity} x ${service}`);
  return Buffer.from(`${heading}: ${description}\n\n${needed}\n${lines.join('\n')}\n`);
}

/** With a byte order mark: spreadsheets then read the Hebrew as it is meant. */
function comparison({ seed, serviceType, contents }: Draft): Buffer {
  const random = new Random(seed);
  const suppliers = serviceTypes.find(({ name }) => name === serviceType)?.suppliers ?? [];
  const rows = contents.flatMap(({ service, quantity }) =>
    random
      .sample(suppliers, 3)
      .map((supplier) => [service, supplier, quantity, random.integer(8, 400) * 50].join(',')),
  );
  return Buffer.from(`\ufeffService,Supplier,Quantity,Price\r\n${rows.join('\r\n')}\r\n`);
}

/** Rooms on both sides of a corridor. */
function plan({ seed }: Draft): Buffer {
  const random = new Random(seed);
  const width = 240;
  const height = 160;
  const corridor = random.integer(60, 90);
  const walls = [0, 1, 2, 3].map(() => random.integer(20, width - 20));
  const isWall = (x: number, y: number): boolean =>
    x < 3 ||
    y < 3 ||
    x > width - 4 ||
    y > height - 4 ||
    Math.abs(y - corridor) < 2 ||
    Math.abs(y - corridor - 18) < 2 ||
    (y < corridor && walls.slice(0, 2).some((wall) => Math.abs(x - wall) < 2)) ||
    (y > corridor + 18 && walls.slice(2).some((wall) => Math.abs(x - wall) < 2));
  return png(width, height, (x, y) => (isWall(x, y) ? 40 : 245));
}
