import type { DocumentFormat } from './document.ts';

/** How many bytes of a file are enough to tell what it is. */
export const headBytes = 4_096;

export const docxType = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
const binaryType = 'application/octet-stream';

const formats: ReadonlyMap<string, DocumentFormat> = new Map([
  ['text/markdown', 'markdown'],
  ['text/plain', 'text'],
  ['text/x-rst', 'text'],
  ['text/html', 'html'],
  ['application/xhtml+xml', 'html'],
  ['application/pdf', 'pdf'],
  [docxType, 'docx'],
  ['text/csv', 'csv'],
  ['text/tab-separated-values', 'csv'],
  ['application/json', 'json'],
  ['application/x-ndjson', 'json'],
  ['application/x-ipynb+json', 'notebook'],
]);

const extensions: Readonly<Record<string, string>> = {
  'text/markdown': 'md markdown mdown mkd mdx',
  'text/plain': 'txt text log adoc asciidoc org tex srt vtt',
  'text/x-rst': 'rst',
  'text/html': 'html htm xhtml',
  'application/pdf': 'pdf',
  [docxType]: 'docx',
  'text/csv': 'csv',
  'text/tab-separated-values': 'tsv tab',
  'application/json': 'json geojson webmanifest',
  'application/x-ndjson': 'jsonl ndjson',
  'application/x-ipynb+json': 'ipynb',
};

const languages: Readonly<Record<string, string>> = {
  c: 'c h',
  clojure: 'clj cljs cljc edn',
  config: 'ini cfg conf properties env editorconfig gitignore gitattributes dockerignore service',
  cpp: 'cc cpp cxx hpp hh hxx ino',
  csharp: 'cs csx',
  css: 'css scss sass less',
  dart: 'dart',
  diff: 'diff patch',
  docker: 'dockerfile',
  elixir: 'ex exs',
  erlang: 'erl hrl',
  fsharp: 'fs fsx fsi',
  go: 'go mod',
  graphql: 'graphql gql',
  groovy: 'groovy gradle',
  haskell: 'hs lhs',
  java: 'java',
  javascript: 'js jsx mjs cjs',
  jsonc: 'jsonc json5',
  julia: 'jl',
  kotlin: 'kt kts',
  lisp: 'el lisp scm',
  lua: 'lua',
  make: 'mk mak cmake makefile',
  nix: 'nix',
  objc: 'm mm',
  ocaml: 'ml mli',
  perl: 'pl pm',
  php: 'php',
  proto: 'proto',
  python: 'py pyi pyw',
  r: 'r',
  ruby: 'rb rake gemspec gemfile rakefile',
  rust: 'rs',
  scala: 'scala sc',
  shell: 'sh bash zsh fish ksh',
  sql: 'sql',
  svelte: 'svelte',
  swift: 'swift',
  terraform: 'tf tfvars hcl',
  toml: 'toml',
  typescript: 'ts tsx mts cts',
  vue: 'vue',
  xml: 'xml xsd xsl xslt svg plist',
  yaml: 'yaml yml',
  zig: 'zig',
};

const sourceCode = 'text/x-source-';

const byExtension = new Map<string, string>();
for (const [type, names] of Object.entries(extensions))
  for (const name of names.split(' ')) byExtension.set(name, type);
for (const [language, names] of Object.entries(languages))
  for (const name of names.split(' ')) byExtension.set(name, sourceCode + language);

// JSON by its name, but read by programs that allow comments in it.
const jsonWithComments = /^(?:(?:ts|js)config(?:\.[\w.-]+)?|devcontainer|launch|settings|tasks)\.json$/i;

/** Every media type that is read. */
export const mediaTypes: readonly string[] = [
  ...formats.keys(),
  ...Object.keys(languages).map((language) => sourceCode + language),
];

/** null: it is not read. */
export function formatOf(mediaType: string): DocumentFormat | null {
  if (mediaType.startsWith(sourceCode)) return mediaTypes.includes(mediaType) ? 'code' : null;
  return formats.get(mediaType) ?? null;
}

/**
 * What a file is, by its first bytes (`headBytes` of them), its name, and what a server said of it, in this order of trust.
 * Text of no known name is text/plain. `formatOf` says whether it is read.
 */
export function mediaTypeOf(name: string, head: Uint8Array, declared?: string): string {
  const said = declared?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const named = typeByName(name) ?? (formatOf(said) === null ? null : said);
  if (startsWith(head, '%PDF-') || named === 'application/pdf') return 'application/pdf';
  if (named === docxType || said === docxType) return docxType;
  if (startsWith(head, 'PK\u0003\u0004')) return 'application/zip';
  if (!hasUtf16Mark(head) && head.includes(0)) return binaryType;
  // A server says text/plain of what it does not know.
  if (formatOf(said) !== null && said !== 'text/plain') return said;
  return named ?? (looksLikeHtml(head) ? 'text/html' : 'text/plain');
}

function typeByName(name: string): string | null {
  const base = name.slice(name.lastIndexOf('/') + 1);
  if (jsonWithComments.test(base)) return `${sourceCode}jsonc`;
  if (/^cmakelists\.txt$/i.test(base)) return `${sourceCode}make`;
  // Also `Makefile` and `Dockerfile.dev`.
  const last = base.slice(base.lastIndexOf('.') + 1).toLowerCase();
  const first = base.split('.', 1)[0]?.toLowerCase() ?? '';
  return byExtension.get(last) ?? (first.endsWith('file') ? (byExtension.get(first) ?? null) : null);
}

/** UTF-16 with a byte order mark, either end first. */
export function hasUtf16Mark(head: Uint8Array): boolean {
  return (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
}

function startsWith(head: Uint8Array, magic: string): boolean {
  return String.fromCharCode(...head.subarray(0, magic.length)) === magic;
}

function looksLikeHtml(head: Uint8Array): boolean {
  const text = String.fromCharCode(...head.subarray(0, 512)).trimStart();
  return /^(?:\u00ef\u00bb\u00bf)?\s*<(?:!doctype html|html)/i.test(text);
}
