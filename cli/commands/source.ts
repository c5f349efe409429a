import { basename } from 'node:path';
import type { Command } from 'commander';
import type { SourceStatus } from '../../domain/source/status.ts';
import type { ArchiveKind } from '../../domain/source/upload.ts';
import { leaf, runs, type Context } from '../command.ts';

interface UploadOptions {
  readonly into?: string;
  readonly unpack?: boolean;
}

export function sourceCommands(program: Command): void {
  const source = program
    .command('source')
    .description('where the truth of a project lives, and how far answers are behind it');
  leaf(source, 'status <project>', 'source truth, staged inputs and machine store: age and drift').action(
    runs(showStatus),
  );
  leaf(source, 'upload <project> <source> <file...>', 'puts files into a source of kind upload')
    .option('--into <folder>', 'a folder of the source')
    .option('--unpack', 'they are archives: .zip, .tar, .tar.gz or .tgz')
    .action(runs(upload));
  leaf(source, 'files <project> <source>', 'what was uploaded').action(runs(listFiles));
  leaf(
    source,
    'remove <project> <source> <path>',
    'takes an uploaded file away; the next wave removes its document',
  ).action(
    runs(async ({ api, out }, project: string, name: string, path: string) => {
      await api.delete(`${filesOf(project, name)}?${new URLSearchParams({ path }).toString()}`);
      out.data({ project, source: name, path, removed: true }, [`${path} is removed`]);
      out.message(`next: holdfast project refresh ${project}`);
      return undefined;
    }),
  );
}

async function showStatus({ api, out }: Context, project: string): Promise<undefined> {
  const { isBehind, sourceStatusesSchema } = await import('../../domain/source/status.ts');
  const { table } = await import('../output.ts');
  const statuses = await api.get(`/v1/projects/${encodeURIComponent(project)}/sources`, sourceStatusesSchema);
  const { inWords } = await import('../../domain/source/room.ts');
  const lines = statuses.items.flatMap((status) => [
    `${status.source} (${status.kind ?? 'no longer a source'}): ${wordOf(status, isBehind(status))}`,
    ...table(['  place', 'files', 'size', 'age', 'missing', 'differing', 'extra'], rowsOf(status, inWords)),
    ...leftOut(status),
    '',
  ]);
  out.data(statuses, lines.slice(0, -1));
  const behind = statuses.items.some((status) => status.truth === null || isBehind(status));
  if (behind) out.message(`next: holdfast project refresh ${statuses.project}`);
  return undefined;
}

function wordOf({ truth }: SourceStatus, behind: boolean): string {
  if (truth === null) return 'never listed';
  return behind ? 'answers are behind the source' : 'answers are as the source was when it was listed';
}

function rowsOf({ truth, staged, store, drift }: SourceStatus, inWords: (bytes: number) => string): string[][] {
  const of = ({ missing, differing, extra }: typeof drift.store) =>
    [missing, differing, extra].map((files) => `${files}`);
  return [
    [
      '  source truth',
      ...(truth === null ? ['-', '-', '-'] : [String(truth.items), inWords(truth.bytes), ageOf(truth.age_s)]),
    ],
    [
      '  staged inputs',
      ...(staged === null ? ['-', '-', '-'] : [String(staged.items), inWords(staged.bytes), ageOf(staged.age_s)]),
      ...of(drift.staged),
    ],
    [
      '  machine store',
      ...(store === null ? ['-', '-', '-'] : [String(store.documents), inWords(store.bytes), ageOf(store.age_s)]),
      ...of(drift.store),
    ],
  ];
}

function leftOut({ truth, quarantined }: SourceStatus): string[] {
  const reasons = Object.entries(truth?.skipped ?? {}).map(
    ([reason, { count, examples }]) =>
      `  left out, ${reason.replaceAll('_', ' ')}: ${count} (${examples.slice(0, 3).join(', ')})`,
  );
  return quarantined === 0 ? reasons : [...reasons, `  quarantined: ${quarantined}`];
}

/** 3 m, 5 h, 2 d. */
function ageOf(seconds: number | null): string {
  if (seconds === null) return '-';
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}

async function upload(
  { api, out }: Context,
  project: string,
  name: string,
  files: string[],
  { into, unpack = false }: UploadOptions,
): Promise<undefined> {
  const { uploadSchema } = await import('../../domain/source/upload.ts');
  const done = [];
  for (const file of files) {
    const kind = unpack ? await archiveKindOf(file) : null;
    const path = kind === null ? [into, basename(file)].filter((part) => part !== undefined).join('/') : into;
    const query = new URLSearchParams({
      ...(path === undefined ? {} : { path }),
      ...(kind === null ? {} : { unpack: kind }),
    });
    done.push(await api.upload(`${filesOf(project, name)}?${query.toString()}`, file, uploadSchema));
  }
  const lines = done.map(
    (one, index) => `${files[index] ?? ''}: ${one.files} files, ${one.bytes} bytes, ${one.left_out} left out`,
  );
  out.data({ items: done }, lines);
  out.message(`next: holdfast project refresh ${project}`);
  return undefined;
}

async function archiveKindOf(file: string): Promise<ArchiveKind> {
  const ending = /\.(zip|tar|tar\.gz|tgz)$/i.exec(file)?.[1]?.toLowerCase();
  if (ending === 'tgz') return 'tar.gz';
  if (ending === 'zip' || ending === 'tar' || ending === 'tar.gz') return ending;
  const { usageError } = await import('../cli-error.ts');
  throw usageError(`${file} does not end in .zip, .tar, .tar.gz or .tgz`);
}

async function listFiles({ api, out }: Context, project: string, name: string): Promise<undefined> {
  const { everyPage } = await import('../every-page.ts');
  const { uploadedFileSchema } = await import('../../domain/source/upload.ts');
  const { table } = await import('../output.ts');
  const page = await everyPage(api, filesOf(project, name), uploadedFileSchema);
  const rows = page.items.map(({ path, bytes, actor, uploaded_at }) => [path, String(bytes), actor, uploaded_at]);
  out.data(page, table(['file', 'bytes', 'by', 'at'], rows));
  return undefined;
}

function filesOf(project: string, source: string): string {
  return `/v1/projects/${encodeURIComponent(project)}/sources/${encodeURIComponent(source)}/files`;
}
