/** What is decided about a file from what is known of it. */

/** Images that a browser shows and cannot be made to run: not SVG, which holds scripts. */
const IMAGES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

/** Characters that turn the direction of the text around them, so that `fdp.exe` reads `exe.pdf`; and control characters. */
const INVISIBLE = /[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/** The Content-Disposition header for a file of this name (RFC 6266), with a spelling for programs of before. */
export function contentDisposition(filename: string, kind: 'attachment' | 'inline' = 'attachment'): string {
  const name = filename.replaceAll(INVISIBLE, '').replaceAll(/[/\\]/g, '_');
  const ascii = name.replaceAll(/[^ !#-[\]-~]/g, '_');
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

/** Types come from whoever uploaded the file: only what is well-formed is passed on, and nothing is shown but images. */
export function contentHeaders(
  file: { readonly original_filename: string; readonly mime_type: string },
  wanted: 'attachment' | 'inline',
): Record<string, string> {
  const type = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?=$|\s*;)/.exec(file.mime_type)?.[0].toLowerCase();
  const kind = wanted === 'inline' && type !== undefined && IMAGES.has(type) ? 'inline' : 'attachment';
  return {
    'content-type': type ?? 'application/octet-stream',
    'content-disposition': contentDisposition(file.original_filename, kind),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
  };
}

/** The extension as the keys of objects have it: lower case, with its dot, and only of harmless characters. */
export function extensionOf(filename: string): string {
  const extension = /\.([\p{L}\p{N}_-]{1,50})$/u.exec(filename)?.[1];
  return extension === undefined ? '' : `.${extension.toLowerCase()}`;
}

/**
 * The bytes that a Range header asks for: all of them when it is none or one that is not understood, `unsatisfiable`
 * when it lies behind the end (RFC 9110, 14.2). Several ranges at once are answered with everything.
 */
export function requestedRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | 'all' | 'unsatisfiable' {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return 'all';
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  const end = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < start) return 'all';
  return start >= size ? 'unsatisfiable' : { start, end };
}
