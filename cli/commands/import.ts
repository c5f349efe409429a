import type { Command } from 'commander';
import type { LineResult } from '../../domain/project/transfer.ts';
import { leaf, runs, type Context } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';

interface FileLine {
  /** In the file, from 1. */
  readonly at: number;
  readonly bytes: number;
  readonly value: unknown;
}

/** Of the API: 256 kB a request. */
const mostBytes = 240_000;
const mostLines = 500;

export function importCommand(program: Command): void {
  leaf(program, 'import <file>', 'takes over JSON Lines of holdfast export; - for standard input')
    .option('--dry-run', 'says what would be done, and does nothing')
    .action(runs(importFile));
}

async function importFile({ api, out }: Context, file: string, { dryRun }: { dryRun?: boolean }): Promise<ExitCode> {
  const { importResultSchema } = await import('../../domain/project/transfer.ts');
  const { readText } = await import('../json-file.ts');
  const dry_run = dryRun === true;
  const results: LineResult[] = [];
  for (const batch of batchesOf(await linesOf(file, await readText(file)))) {
    const body = { dry_run, lines: batch.map(({ value }) => value) };
    const { lines } = await api.post('/v1/import', body, importResultSchema);
    results.push(...lines.map((result) => ({ ...result, line: batch[result.line - 1]?.at ?? result.line })));
  }
  const { table } = await import('../output.ts');
  const rows = results.map(({ line, kind, project, outcome, detail }) => [
    ...[String(line), kind ?? '?', project ?? '?', outcome, detail ?? ''],
  ]);
  out.data({ dry_run, lines: results }, table(['line', 'kind', 'project', 'outcome', ''], rows));
  const has = (...outcomes: readonly string[]) => results.some(({ outcome }) => outcomes.includes(outcome));
  if (!dry_run && has('proposed')) out.message('next: holdfast proposal list --state proposed');
  return has('waiting', 'refused') ? exitCodes.partial : exitCodes.ok;
}

/** All of them are read before the first is sent. */
async function linesOf(file: string, text: string): Promise<FileLine[]> {
  const { usageError } = await import('../cli-error.ts');
  const lines = text.split('\n').map((line, index) => ({ line: line.trim(), at: index + 1 }));
  const found = lines
    .filter(({ line }) => line !== '')
    .map(({ line, at }): FileLine => {
      const bytes = Buffer.byteLength(line);
      if (bytes > mostBytes) throw usageError(`${file}, line ${at}: more than ${mostBytes} bytes`);
      try {
        return { at, bytes, value: JSON.parse(line) as unknown };
      } catch {
        throw usageError(`${file}, line ${at}: not JSON`);
      }
    });
  if (found.length === 0) throw usageError(`${file} has no lines`);
  return found;
}

function batchesOf(lines: readonly FileLine[]): FileLine[][] {
  const batches: FileLine[][] = [];
  let room = 0;
  for (const line of lines) {
    const last = batches.at(-1);
    if (last === undefined || last.length === mostLines || line.bytes + 1 > room) {
      batches.push([line]);
      room = mostBytes - line.bytes;
    } else {
      last.push(line);
      room -= line.bytes + 1;
    }
  }
  return batches;
}
