import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';

/** A source file as the rules see it; the path is relative to the repository, with slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

interface Import {
  /** As written. */
  readonly specifier: string;
  /** The file it names, when that is one of ours; else the name of the package or the built-in module. */
  readonly target: string;
}

const ROOT = dirname(import.meta.dirname);
const NOT_OURS = new Set(['node_modules', 'dist', 'generated', 'data', 'coverage', '.git']);

/** Every TypeScript file of the repository. */
export function readSourceFiles(): readonly SourceFile[] {
  return ['apps', 'packages', 'e2e', 'bench', 'scripts']
    .map((folder) => join(ROOT, folder))
    .filter((folder) => existsSync(folder))
    .flatMap(walk);
}

function walk(folder: string): SourceFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : walk(path);
    if (!/\.tsx?$/.test(entry.name)) return [];
    return [sourceFile(relative(ROOT, path).split(sep).join('/'), readFileSync(path, 'utf8'))];
  });
}

/** A file of this path and text, its imports read. */
export function sourceFile(path: string, text: string): SourceFile {
  const code = withoutComments(text);
  const imports = [...code.matchAll(IMPORTS)].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? '';
    return { specifier, target: resolveTarget(path, specifier) };
  });
  return { path, text: code, imports };
}

const IMPORTS =
  /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*[,)]/gm;

/** Comments may say what code may not. Strings and templates are kept as they are. */
function withoutComments(text: string): string {
  const tokens = /\/\*[^]*?\*\/|\/\/[^\n]*|(['"`])(?:\\[^]|(?!\1)[^\\])*\1/g;
  return text.replace(tokens, (token) => (token.startsWith('/') ? token.replace(/[^\n]/g, ' ') : token));
}

function resolveTarget(importer: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(importer), specifier);
  const own = /^@calculaud\/([^/]+)\/(.+)$/.exec(specifier);
  if (own) return `${own[1] === 'server' ? 'apps' : 'packages'}/${own[1]}/src/${own[2]}.ts`;
  return specifier;
}
